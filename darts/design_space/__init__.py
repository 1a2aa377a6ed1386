"""Network design spaces (RegNet, arXiv 2003.13678): their populations, trained and analysed."""
