"""Pictures of cells and reports of runs."""
