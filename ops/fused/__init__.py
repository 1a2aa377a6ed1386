"""The plain PyTorch engine: all candidates on all edges that leave one state, fused."""
