"""The PyTorch engine: fused forms of all candidate operations on all edges of one source."""
