"""Study of how far accuracies with inherited weights agree with true ones about the order of cells."""
