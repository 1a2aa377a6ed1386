"""Genotypes: the discrete cells that searches end with, and a zoo of the published ones."""

from genotypes.genotype import KINDS, Genotype, Node, parse_genotype
from genotypes.sampling import random_genotype
from genotypes.search_space import SPACES, SearchSpace, register_space
from genotypes.validation import GenotypeError
from genotypes.zoo import format_genotype, list_genotypes, load_genotype, save_genotype

__all__ = [
    "KINDS",
    "SPACES",
    "Genotype",
    "GenotypeError",
    "Node",
    "SearchSpace",
    "format_genotype",
    "list_genotypes",
    "load_genotype",
    "parse_genotype",
    "random_genotype",
    "register_space",
    "save_genotype",
]
