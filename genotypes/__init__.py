"""Genotypes: the discrete cells that searches end with, and a zoo of the published ones."""

from genotypes.genotype import Genotype, Node, parse_genotype
from genotypes.sampling import random_genotype
from genotypes.spaces import SPACES
from genotypes.validation import GenotypeError
from genotypes.zoo import format_genotype, list_genotypes, load_genotype, save_genotype

__all__ = [
    "SPACES",
    "Genotype",
    "GenotypeError",
    "Node",
    "format_genotype",
    "list_genotypes",
    "load_genotype",
    "parse_genotype",
    "random_genotype",
    "save_genotype",
]
