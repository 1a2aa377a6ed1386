"""Flags, recipes and typed options. Torch-free, so that `--help` is instant."""
