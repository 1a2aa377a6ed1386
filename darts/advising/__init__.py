"""Advice for one's own images: what the data are, how fast this machine is, which settings fit."""
