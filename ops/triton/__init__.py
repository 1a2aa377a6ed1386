"""Triton kernels that evaluate what lies between the convolutions of a search cell, on a GPU."""
