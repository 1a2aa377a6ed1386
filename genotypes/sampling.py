"""Random genotypes: the baseline that a searched cell has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genotypes.genotype import Genotype, Node
from genotypes.spaces import NONE, SPACES

if TYPE_CHECKING:
    import torch


def random_genotype(
    nodes: int, generator: torch.Generator, name: str, space: str = "darts"
) -> Genotype:
    """Draw a genotype uniformly.

    Every node gets two distinct sources among the states before it and, independently, an
    operation for each among all but `none`; all inner nodes are concatenated.

    Args:
        nodes: Inner nodes of a cell, at least 1.
        generator: Source of all random draws, on the CPU.
        name: Name of the genotype.
        space: Search space, a key of `SPACES`.
    """
    import torch

    operations = [operation for operation in SPACES[space] if operation != NONE]

    def node(states: int) -> Node:
        sources = torch.randperm(states, generator=generator)[:2].sort().values.tolist()
        choices = torch.randint(len(operations), (2,), generator=generator).tolist()
        return tuple(
            (operations[choice], source) for choice, source in zip(choices, sources, strict=True)
        )

    cells = [tuple(node(2 + number) for number in range(nodes)) for _ in range(2)]
    concat = tuple(range(2, 2 + nodes))
    provenance = {"source": "drawn uniformly at random"}
    return Genotype(name, cells[0], cells[1], concat, concat, space, provenance)
