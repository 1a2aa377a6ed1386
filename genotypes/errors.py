"""The error of this package."""


class GenotypeError(ValueError):
    """A genotype, a search space or its file is wrong; the message says where and why."""
