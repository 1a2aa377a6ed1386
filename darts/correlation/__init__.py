"""How well a supernet ranks its cells: accuracies with inherited weights beside true ones."""
