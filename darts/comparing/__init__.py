"""A genotype's network, compared to populations of the same cost that are trained alike."""
