"""C++ kernels for the CPU, compiled on first use; without them PyTorch computes the same."""
