"""The notations of a cell in files and on the command line, and its official number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from genotypes import Genotype, GenotypeError, load_genotype
from genotypes.nasbench201 import (
    NASLIB_EDGES,
    NASLIB_OPERATIONS,
    NASLIB_TUPLE,
    all_cells,
    genotype_of,
)
from genotypes.published_spaces import NASBENCH201

# For each edge in the benchmark's order, its place in a tuple of NASLib.
_PLACES = tuple(
    NASLIB_EDGES.index(edge) for edge in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
)


@cache
def number_by_string() -> Mapping[str, int]:
    """The official numbers of all cells by their strings."""
    form = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
    return MappingProxyType({form.format(*one): number for number, one in enumerate(all_cells())})


@cache
def strings() -> tuple[str, ...]:
    """The strings of all cells in the official order."""
    return tuple(number_by_string())


@cache
def _number_by_operations() -> Mapping[tuple[str, ...], int]:
    return MappingProxyType({one: number for number, one in enumerate(all_cells())})


def number_of(text: str) -> int | None:
    """The official number of the cell that a text names: its string, or a tuple of NASLib.

    >>> number_of("(0, 0, 0, 0, 0, 0)"), number_of("mean")
    (1835, None)
    """
    text = text.strip()
    if text.startswith("|"):
        return number_by_string().get(text)
    return number_of_tuple(text)


def number_of_tuple(text: str) -> int | None:
    """The official number of a cell written as a tuple of NASLib, such as `(4, 0, 3, 1, 4, 3)`."""
    found = NASLIB_TUPLE.fullmatch(text)
    digits = [int(digit) for digit in found.groups()] if found else []
    if not digits or max(digits) >= len(NASLIB_OPERATIONS):
        return None
    return _number_by_operations()[tuple(NASLIB_OPERATIONS[digits[place]] for place in _PLACES)]


def cell_of(text: str) -> Genotype:
    """The cell that a user names: string, `nb201-NUMBER`, tuple of NASLib, name or file.

    >>> cell_of("0, 0, 0, 0, 0, 0").name
    'nb201-1835'

    Raises:
        GenotypeError: There is no such cell, or it belongs to another space.
    """
    genotype = load_genotype(text)
    if genotype.rules != NASBENCH201:
        raise GenotypeError(
            f"{text}: it is a cell of the space {genotype.rules.name!r}. The table knows the "
            "cells of NAS-Bench-201 only, those of --space nasbench201."
        )
    return genotype


def cell_number(number: int) -> Genotype:
    """The cell with an official number."""
    return genotype_of(all_cells()[number])
