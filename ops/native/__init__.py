"""Kernels for the CPU in C++, compiled on first use; PyTorch computes the same without them."""
