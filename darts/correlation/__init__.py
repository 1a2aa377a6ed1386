"""How far accuracies with inherited weights and true ones agree about the order of cells."""
