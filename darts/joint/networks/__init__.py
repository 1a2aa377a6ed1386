"""Kinds of networks that a space can describe: their costs, in bulk, and their models."""
