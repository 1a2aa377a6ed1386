"""Differentiable search: the bilevel step, the loop around it, and the choice of a genotype."""
