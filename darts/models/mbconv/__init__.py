"""Networks of inverted residuals: EfficientNet (arXiv 1905.11946), FBNetV3 (arXiv 2006.02049)."""
