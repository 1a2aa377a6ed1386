"""Training of derived networks from scratch: recipe, schedule and loop."""
