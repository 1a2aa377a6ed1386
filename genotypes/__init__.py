"""Genotypes: the discrete cells that searches end with, and a zoo of the published ones."""

from genotypes.errors import GenotypeError
from genotypes.foreign import format_python
from genotypes.genotype import KINDS, Genotype, Node, parse_genotype
from genotypes.sampling import random_genotype
from genotypes.search_space import SearchSpace
from genotypes.spaces import SPACES, find_space, register_space
from genotypes.written import is_written
from genotypes.zoo import format_genotype, list_genotypes, load_genotype, save_genotype

__all__ = [
    "KINDS",
    "SPACES",
    "Genotype",
    "GenotypeError",
    "Node",
    "SearchSpace",
    "find_space",
    "format_genotype",
    "format_python",
    "is_written",
    "list_genotypes",
    "load_genotype",
    "parse_genotype",
    "random_genotype",
    "register_space",
    "save_genotype",
]
