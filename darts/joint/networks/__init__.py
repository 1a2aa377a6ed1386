"""What the architecture of a space describes: its costs, for many at once, and its model."""
