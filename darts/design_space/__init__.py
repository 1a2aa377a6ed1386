"""Network design spaces (RegNet, arXiv 2003.13678): AnyNet, RegNet, their costs, and sampling."""
