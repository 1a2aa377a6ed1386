"""Training-free scores of networks at random initial weights."""
