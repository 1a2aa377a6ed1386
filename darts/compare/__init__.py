"""A genotype's network against populations of networks of the same cost, trained alike."""
