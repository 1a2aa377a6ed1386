"""The life of one run: its directory, checkpoints, loop, interruption, progress and tracking."""
