"""Statistics of few values: intervals, means of seeds, differences, rank correlations."""
