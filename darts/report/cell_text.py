"""A cell as one line of text, for terminals."""

from __future__ import annotations

import re

from genotypes.genotype import Genotype

_SHORT = {"skip_connect": "skip", "none": "none"}
_KINDS = {"normal": "normal", "reduce": "reduction"}


def cell_line(genotype: Genotype, kind: str) -> str:
    """The operations of each node with their sources; inputs are k-2 and k-1, nodes are numbers.

    >>> from genotypes import load_genotype
    >>> cell_line(load_genotype("darts_v1"), "normal")
    '0: sep3 k-1, sep3 k-2 | 1: skip k-2, sep3 k-1 | 2: skip k-2, sep3 k-1 | 3: sep3 k-2, skip 0'

    Args:
        genotype: The genotype.
        kind: normal or reduce.
    """
    inputs = genotype.rules.inputs
    nodes, _ = genotype.cell(kind)
    return " | ".join(
        f"{number}: "
        + ", ".join(f"{short_name(name)} {_source(state, inputs)}" for name, state in node)
        for number, node in enumerate(nodes)
    )


def cell_lines(genotype: Genotype) -> list[str]:
    """All kinds of cells of a genotype, a line each, with aligned names.

    >>> from genotypes import load_genotype
    >>> [line.split(":")[0] for line in cell_lines(load_genotype("darts_v1"))]
    ['normal     0', 'reduction  0']
    """
    width = max(len(_KINDS[kind]) for kind in genotype.kinds)
    return [f"{_KINDS[kind]:{width}}  {cell_line(genotype, kind)}" for kind in genotype.kinds]


def short_name(operation: str) -> str:
    """An operation in a few letters: its kind and its kernel.

    >>> [short_name(one) for one in ("sep_conv_5x5", "max_pool_3x3", "skip_connect", "mine")]
    ['sep5', 'max3', 'skip', 'mine']
    """
    plain = _SHORT.get(operation, operation)
    found = re.fullmatch(r"([a-z]+)_(?:conv|pool)_(\d+)x\2", plain)
    return f"{found[1]}{found[2]}" if found else plain


def _source(state: int, inputs: int) -> str:
    return f"k-{inputs - state}" if state < inputs else str(state - inputs)
