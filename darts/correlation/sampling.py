"""The cells of a study: a random sample that only the seed decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from darts.errors import UserError
from darts.system.randomness import stream_seed
from genotypes import Genotype, SearchSpace, random_genotype
from genotypes.nasbench201 import all_cells, function_of, genotype_of, is_connected

_ATTEMPTS = 100
"""Tries to sample a new cell, for each cell that is wanted."""


@dataclass(frozen=True)
class CellSample:
    """Sampled cells.

    Attributes:
        genotypes: The cells, all different, in the order of sampling.
        sentence: How they were sampled.
        numbers: Their official numbers in NAS-Bench-201; empty in other spaces.
    """

    genotypes: tuple[Genotype, ...]
    sentence: str
    numbers: tuple[int, ...] = ()


def sample_known_cells(
    known: Iterable[int], count: int, seed: int, *, once_per_class: bool, connected: bool
) -> CellSample:
    """Sample cells of NAS-Bench-201 uniformly, without replacement.

    >>> cells = sample_known_cells(range(15625), 2, 0, once_per_class=True, connected=True)
    >>> cells.sentence
    '2 of 4,929 classes of equal cells, by their first cells, without cells that have no path'

    Args:
        known: Official numbers of the cells to sample from.
        count: Number of cells.
        seed: Decides the sample.
        once_per_class: Sample classes of cells that compute the same function; the first cell of a
            class in the official order stands for it.
        connected: Leave out cells without a path from input to output.

    Raises:
        UserError: There are fewer cells.
    """
    cells = all_cells()
    numbers = [number for number in known if not connected or is_connected(cells[number])]
    if once_per_class:
        first: dict[str, int] = {}
        for number in numbers:
            first.setdefault(function_of(cells[number]), number)
        numbers = list(first.values())
    if count > len(numbers):
        raise UserError(f"--cells {count}: there are only {len(numbers):,} cells to sample from.")
    generator = torch.Generator().manual_seed(stream_seed(seed, "sampled cells"))
    order = torch.randperm(len(numbers), generator=generator)[:count].tolist()
    chosen = tuple(numbers[index] for index in order)
    what = "classes of equal cells, by their first cells" if once_per_class else "cells"
    without = ", without cells that have no path" if connected else ""
    return CellSample(
        tuple(genotype_of(cells[number]) for number in chosen),
        f"{count} of {len(numbers):,} {what}{without}",
        chosen,
    )


def sample_space_cells(space: SearchSpace, nodes: int, count: int, seed: int) -> CellSample:
    """Sample different cells of any space uniformly.

    >>> from genotypes.search_space import DARTS
    >>> len(sample_space_cells(DARTS, 4, 3, seed=0).genotypes)
    3

    Raises:
        UserError: The space seems to have fewer cells.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "sampled cells"))
    found: dict[object, Genotype] = {}
    for _ in range(_ATTEMPTS * count):
        drawn = random_genotype(nodes, generator, f"cell-{len(found):04d}", space)
        found.setdefault((drawn.normal, drawn.reduce), drawn)
        if len(found) == count:
            sentence = f"{count} random cells of the space {space.name}"
            return CellSample(tuple(found.values()), sentence)
    raise UserError(
        f"--cells {count}: the space {space.name} with {nodes} nodes has hardly more than "
        f"{len(found)} cells."
    )
