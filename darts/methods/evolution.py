"""The selection of SPOS: an evolution of single cells with inherited weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cells.topology import Topology
from darts.methods.children import AccuracyOf, Cells, Child, ChildSelection, random_cells
from darts.methods.selection import NormStatisticsName
from genotypes import Node, SearchSpace

_ATTEMPTS = 10
"""Tries to make a child that has not been judged yet, for each child that is wanted."""


@dataclass(frozen=True)
class Evolution(ChildSelection):
    """The best cell of an evolution, judged by the supernet with inherited weights.

    The first generation is random. Each further one has `crossover` children of two parents, which
    take every node from one of them, and `mutation` children of one parent, in which every node,
    and every single operation, is resampled with a small probability. Parents are drawn from the
    best cells of all generations so far. Random cells fill a generation up. A cell is judged once
    only, and of equally good cells the earlier one is better.

    Source: SPOS (Guo et al. 2020, arXiv 1904.00420, §3.4 and Alg. 1) and its code,
    src/Search/search.py, with its numbers; there a cell is a list of blocks, without sources. The
    code recomputes the statistics of all batch norms for every cell; here this is
    `statistics=reestimated`, and by default they are those of the batch.

    >>> Evolution(generations=2).rate_factor  # `ChildSearch` has an example of a search.
    0.0

    Attributes:
        generations: Number of generations, the first one included.
        population: Cells of a generation.
        crossover: Most children of two parents in a generation.
        mutation: Most children of one parent in a generation.
        probability: Probability that a part of a mutated cell changes.
        parents: Number of best cells from which parents are drawn.
        batches: Batches on which a cell is judged; 0 for all validation images.
        statistics: Batch norms use the statistics of each batch, or those of the cell, which are
            re-estimated on training images.
    """

    generations: int = 20
    population: int = 50
    crossover: int = 25
    mutation: int = 25
    probability: float = 0.1
    parents: int = 10
    batches: int = 0
    statistics: NormStatisticsName = "batch"

    def __post_init__(self) -> None:
        if min(self.generations, self.population, self.parents) < 1:
            raise ValueError("generations, population and parents must be at least 1")
        if min(self.crossover, self.mutation, self.batches) < 0 or not 0 <= self.probability <= 1:
            raise ValueError(
                "crossover, mutation and batches must be at least 0, probability between 0 and 1"
            )

    def search(
        self,
        accuracy: AccuracyOf,
        topology: Topology,
        space: SearchSpace,
        generator: torch.Generator,
    ) -> Child:
        """The best child; see `darts.methods.children.ChildSearch`."""
        judged: list[Child] = []
        for _ in range(self.generations):
            best = sorted(judged, key=lambda child: -child.accuracy)[: self.parents]
            seen = [child.cells for child in judged]
            for cells in self._generation(best, seen, topology, space, generator):
                judged.append(Child(cells, accuracy(cells, self.batches)))
        best_child = max(judged, key=lambda child: child.accuracy)
        if not self.batches:
            return best_child
        return best_child._replace(accuracy=accuracy(best_child.cells, 0))

    def _generation(
        self,
        best: Sequence[Child],
        seen: Sequence[Cells],
        topology: Topology,
        space: SearchSpace,
        generator: torch.Generator,
    ) -> list[Cells]:
        """The cells of a generation, none of which has been seen before."""
        made: list[Cells] = []

        def parent() -> Cells:
            return best[_below(len(best), generator)].cells

        def crossed() -> Cells:
            return _cross(parent(), parent(), generator)

        def mutated() -> Cells:
            return _mutate(parent(), self.probability, topology, space, generator)

        def fresh() -> Cells:
            return random_cells(topology, space, generator)

        wanted = [(crossed, self.crossover), (mutated, self.mutation)] if best else []
        for make, number in (*wanted, (fresh, self.population)):
            limit = min(len(made) + number, self.population)
            for _ in range(_ATTEMPTS * number):
                if len(made) >= limit:
                    break
                cells = make()
                if cells not in seen and cells not in made:
                    made.append(cells)
        return made


def _cross(one: Cells, other: Cells, generator: torch.Generator) -> Cells:
    """Every node of one of two cells."""
    return {
        kind: tuple(pair[_below(2, generator)] for pair in zip(one[kind], other[kind], strict=True))
        for kind in one
    }


def _mutate(
    cells: Cells,
    probability: float,
    topology: Topology,
    space: SearchSpace,
    generator: torch.Generator,
) -> Cells:
    """The cells with some nodes of other random cells, and some other operations."""
    other = random_cells(topology, space, generator)

    def changes() -> bool:
        return bool(torch.rand((), generator=generator) < probability)

    def mutated(kind: str, target: int, node: Node, drawn: Node) -> Node:
        if changes():
            return drawn
        pairs = []
        for name, source in node:
            choices = space.choices(kind, source, target)
            changed = choices[_below(len(choices), generator)] if changes() else name
            pairs.append((changed, source))
        return tuple(pairs)

    return {
        kind: tuple(
            mutated(kind, target, node, drawn)
            for target, node, drawn in zip(topology.inner, nodes, other[kind], strict=True)
        )
        for kind, nodes in cells.items()
    }


def _below(size: int, generator: torch.Generator) -> int:
    return int(torch.randint(size, (1,), generator=generator))
