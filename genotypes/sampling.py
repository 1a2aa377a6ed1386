"""Random genotypes: the baseline that a searched cell has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genotypes.genotype import KINDS, Genotype, Node
from genotypes.search_space import SPACES

if TYPE_CHECKING:
    import torch


def random_genotype(
    nodes: int, generator: torch.Generator, name: str, space: str = "darts"
) -> Genotype:
    """Sample a genotype uniformly.

    Each node gets distinct sources among the states before it, as many as the space keeps, and an
    independent operation for each source, never the zero operation.

    >>> import torch
    >>> genotype = random_genotype(4, torch.Generator().manual_seed(0), "random")
    >>> [source for _, source in genotype.normal[0]]
    [0, 1]

    Args:
        nodes: Number of inner nodes of a cell, at least 1.
        generator: The source of all random numbers, on the CPU.
        name: Name of the genotype.
        space: Name of the search space, a key of `SPACES`.
    """
    import torch

    rules = SPACES[space]

    def node(kind: str, target: int) -> Node:
        kept = rules.kept_edges(target)
        sources = torch.randperm(target, generator=generator)[:kept].sort().values.tolist()
        pairs = []
        for source in sources:
            choices = rules.choices(kind, source, target)
            column = int(torch.randint(len(choices), (1,), generator=generator))
            pairs.append((choices[column], source))
        return tuple(pairs)

    normal, reduce = (
        tuple(node(kind, target) for target in rules.inner_states(nodes)) for kind in KINDS
    )
    concat = rules.output_states(nodes)
    provenance = {"source": "drawn uniformly at random"}
    return Genotype(name, normal, reduce, concat, concat, space, provenance)
