"""Tables of known accuracies: from a cell to its row, its rank and its regret. Trains nothing."""
