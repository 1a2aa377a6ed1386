"""Short trainings from scratch that judge cells, on training images only."""
