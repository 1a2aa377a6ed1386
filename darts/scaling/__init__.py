"""Compound scaling (EfficientNet, arXiv 1905.11946) of any model here, cells included."""
