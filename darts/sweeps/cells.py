"""Cells of a sweep: random ones, and the different ones among many."""

from __future__ import annotations

from collections import Counter

from darts.sweeps.agreement import choices_of
from darts.system.randomness import RandomStreams
from genotypes import Genotype, SearchSpace, random_genotype
from genotypes.nasbench201 import arch_string
from genotypes.published_spaces import NASBENCH201

_STREAM = "random cells"


def drawn_cells(space: SearchSpace, nodes: int, count: int) -> list[Genotype]:
    """Random cells, always the same: the first n of more cells are the n cells.

    >>> from genotypes import find_space
    >>> two, three = (drawn_cells(find_space("nasbench201"), 3, n) for n in (2, 3))
    >>> three[:2] == two, two[0].name
    (True, 'random-cell-0')

    Args:
        space: Their space.
        nodes: Number of inner nodes.
        count: Number of cells.
    """
    stream = RandomStreams(0, [_STREAM])[_STREAM]
    return [random_genotype(nodes, stream, f"random-cell-{n}", space) for n in range(count)]


def cell_words(genotype: Genotype) -> str:
    """A cell on one line: its string in NAS-Bench-201, else how often it has each operation.

    >>> from genotypes import load_genotype
    >>> cell_words(load_genotype("darts_v1"))
    'sep_conv_3x3 ×5, skip_connect ×3 | max_pool_3x3 ×4, skip_connect ×3, avg_pool_3x3 ×1'
    """
    if genotype.rules == NASBENCH201:
        return arch_string(genotype)
    parts = []
    for kind in genotype.kinds:
        names = [name for (of, _, _), name in choices_of(genotype).items() if of == kind]
        counted = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
        parts.append(", ".join(f"{name} ×{count}" for name, count in counted))
    return " | ".join(parts)
