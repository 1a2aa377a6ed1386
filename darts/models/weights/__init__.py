"""Weights that other programs have trained, in the networks of this toolkit."""
