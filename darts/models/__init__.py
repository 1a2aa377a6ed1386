"""Every network that is trained from scratch, by name."""
