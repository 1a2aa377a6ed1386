"""Joint search of an architecture and its training recipe (FBNetV3, arXiv 2006.02049)."""
