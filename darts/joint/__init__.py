"""Joint search of a network and the recipe that trains it (FBNetV3, arXiv 2006.02049)."""
