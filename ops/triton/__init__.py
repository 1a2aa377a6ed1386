"""Triton kernels for the GPU: everything in a search cell except its convolutions."""
