"""Random genotypes: the baseline that a searched cell has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genotypes.errors import GenotypeError
from genotypes.genotype import Genotype, Node
from genotypes.search_space import SearchSpace
from genotypes.spaces import SPACES

if TYPE_CHECKING:
    import torch


def random_genotype(
    nodes: int | None,
    generator: torch.Generator,
    name: str,
    space: str | SearchSpace = "darts",
) -> Genotype:
    """Sample a genotype uniformly.

    Each node gets distinct sources among the states before it, as many as the space keeps, and an
    independent operation for each source, never the zero operation of the space.

    >>> import torch
    >>> genotype = random_genotype(4, torch.Generator().manual_seed(0), "random")
    >>> [source for _, source in genotype.normal[0]]
    [0, 1]

    Args:
        nodes: Number of inner nodes of a cell, at least 1; None for that of the space.
        generator: The source of all random numbers, on the CPU.
        name: Name of the genotype.
        space: The search space, or its name, a key of `SPACES`.

    Raises:
        GenotypeError: The space has cells of another number of nodes, or of any number.
    """
    import torch

    rules = SPACES[space] if isinstance(space, str) else space
    nodes = rules.nodes if nodes is None else nodes
    if nodes is None:
        raise GenotypeError(f"Cells of the space {rules.name!r} need a number of nodes.")

    def node(kind: str, target: int) -> Node:
        kept = rules.kept_edges(target)
        sources = torch.randperm(target, generator=generator)[:kept].sort().values.tolist()
        pairs = []
        for source in sources:
            choices = rules.choices(kind, source, target)
            column = int(torch.randint(len(choices), (1,), generator=generator))
            pairs.append((choices[column], source))
        return tuple(pairs)

    cells = {
        kind: tuple(node(kind, target) for target in rules.inner_states(nodes))
        for kind in rules.kinds
    }
    concat = rules.output_states(nodes)
    return Genotype(
        name=name,
        normal=cells["normal"],
        reduce=cells.get("reduce", ()),
        normal_concat=concat,
        reduce_concat=concat if "reduce" in cells else (),
        space=space,
        provenance={"source": "drawn uniformly at random"},
    )
