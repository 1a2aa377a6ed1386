"""Data sets listed in a table: a file of comma-separated values beside the images."""
