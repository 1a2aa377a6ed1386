"""Children of a supernet: single cells with inherited weights, and the best one of a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from cells.topology import EdgeWeights, Topology
from darts.methods.selection import NormStatisticsName, StrongestEdges, TableScore
from genotypes import Node, SearchSpace, random_genotype

Cells = Mapping[str, tuple[Node, ...]]
"""The nodes of each kind of cell."""
AccuracyOf = Callable[[Cells, int], float]
"""(cells, number of batches or 0 for all) -> accuracy (%) with inherited weights."""


class Child(NamedTuple):
    """A single cell and what it is worth.

    Attributes:
        cells: Its nodes by kind of cell.
        accuracy: Its accuracy (%) on all validation images.
    """

    cells: Cells
    accuracy: float


def child_tables(
    cells: Cells, topology: Topology, space: SearchSpace, *, columns: int = 0, like: Tensor
) -> dict[str, EdgeWeights]:
    """The tables with which a supernet computes a single cell, with the weights it has.

    The operations of the cell have the weight 1. Everything else has the weight 0 and is not
    computed; channels that bypass the mixed operations take kept edges only. An operation that is
    listed twice on an edge (NASNet) has the weight 2.

    >>> from genotypes.search_space import SearchSpace
    >>> space = SearchSpace(name="s", operations=("none", "noise"), kinds=("normal", "reduce"))
    >>> cell = (((("noise", 1)), ("noise", 0)), (("noise", 0), ("noise", 2)))
    >>> tables = child_tables({"normal": cell}, Topology(2), space, like=torch.zeros(1))
    >>> tables["normal"].active, tables["normal"].edges.tolist()
    (((1,), (1,), (1,), (), (1,)), [1.0, 1.0, 1.0, 0.0, 1.0])

    Args:
        cells: The nodes of each kind of cell.
        topology: Nodes and edges of the supernet's cells.
        space: Names the columns.
        columns: Number of columns of the tables, if they have more than the space has operations.
        like: A tensor with the number type and the device of the tables.
    """
    tables = {}
    for kind, nodes in cells.items():
        shape = len(topology.edges), max(columns, len(space.operations))
        operations = torch.zeros(shape, dtype=like.dtype)
        for target, node in zip(topology.inner, nodes, strict=True):
            first = topology.incoming(target)[0].index
            for name, source in node:
                operations[first + source, space.operations.index(name)] += 1
        active = tuple(
            tuple(column for column, weight in enumerate(row) if weight)
            for row in operations.tolist()
        )
        edges = torch.tensor([float(bool(row)) for row in active], dtype=like.dtype)
        whole = all(active)
        tables[kind] = EdgeWeights(
            operations.to(like.device), None if whole else edges.to(like.device), active
        )
    return tables


def random_cells(topology: Topology, space: SearchSpace, generator: torch.Generator) -> Cells:
    """The cells of a uniformly random genotype of a space.

    >>> from genotypes.search_space import DARTS
    >>> cells = random_cells(Topology(4), DARTS, torch.Generator().manual_seed(0))
    >>> len(cells["normal"]), len(cells["reduce"][0])
    (4, 2)
    """
    genotype = random_genotype(topology.nodes, generator, "child", space)
    return {kind: genotype.cell(kind)[0] for kind in space.kinds}


class ChildSelection(ABC):
    """Base class of selections that judge sampled cells once, after the last epoch.

    Before that, records of the search show the cell with the strongest edges.

    Attributes:
        statistics: Statistics of the batch norms of a judged cell; a subclass may have it as a
            field.
    """

    statistics: NormStatisticsName
    evaluates: ClassVar[bool] = True
    rate_factor: ClassVar[float] = 0.0

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return StrongestEdges()(strengths, topology, space)

    def further_epochs(self, topology: Topology, space: SearchSpace) -> int:
        return 0

    def start(self, topology: Topology, space: SearchSpace) -> ChildSearch:
        return ChildSearch(self, topology, space)

    @abstractmethod
    def search(
        self,
        accuracy: AccuracyOf,
        topology: Topology,
        space: SearchSpace,
        generator: torch.Generator,
    ) -> Child:
        """Judge cells and return the best one.

        Args:
            accuracy: Judges a cell on some batches; see `AccuracyOf`.
            topology: Nodes and edges of the cells.
            space: The cells to choose from.
            generator: The source of all random numbers.
        """


@dataclass(frozen=True)
class BestChild(ChildSelection):
    """The best of randomly sampled cells, judged by the supernet with inherited weights.

    Each round samples cells, scores each on a few batches, scores the best ones on all validation
    images, and keeps the best of those. The best of all rounds is the result; of equal cells the
    earlier one.

    Source: random search with weight sharing (Li and Talwalkar 2019, arXiv 1902.07638, §3.3), with
    the numbers of its code for its default of 100 epochs (which then prints the best cell of the
    first round; here the rounds are compared). RSPS of NAS-Bench-201 is `samples=100, batches=1,
    finalists=1, rounds=1`. All of them judge the cells of the
    space, so `none` takes part only where it is an operation like the others.

    >>> BestChild(samples=2, finalists=1, rounds=1).rate_factor  # `ChildSearch` has an example.
    0.0

    Attributes:
        samples: Cells of a round.
        batches: Batches of the first score; 0 for all validation images.
        finalists: Cells of a round that are scored on all validation images.
        rounds: Number of rounds.
        statistics: Batch norms use the statistics of each batch, or those of the cell, which are
            re-estimated on training images.
    """

    samples: int = 1000
    batches: int = 10
    finalists: int = 10
    rounds: int = 3
    statistics: NormStatisticsName = "batch"

    def __post_init__(self) -> None:
        if min(self.samples, self.finalists, self.rounds) < 1 or self.batches < 0:
            raise ValueError(
                "samples, finalists and rounds must be at least 1, and batches at least 0"
            )

    def search(
        self,
        accuracy: AccuracyOf,
        topology: Topology,
        space: SearchSpace,
        generator: torch.Generator,
    ) -> Child:
        """The best child; see `ChildSearch`."""
        found: list[Child] = []
        for _ in range(self.rounds):
            sampled = [random_cells(topology, space, generator) for _ in range(self.samples)]
            first = [accuracy(cells, self.batches) for cells in sampled]
            # A stable sort: of equal first scores, the cell that was sampled first.
            order = sorted(range(len(sampled)), key=lambda index: -first[index])
            finalists = [sampled[index] for index in order[: self.finalists]]
            found += [Child(cells, accuracy(cells, 0)) for cells in finalists]
        return max(found, key=lambda child: child.accuracy)


@dataclass
class ChildSearch:
    """The search of the best child in progress; see `darts.methods.selection.Selector`.

    >>> from genotypes.search_space import DARTS
    >>> search = BestChild(samples=4, finalists=2, rounds=1).start(Topology(4), DARTS)
    >>> def score(tables, batches=0):
    ...     return tables["normal"].operations[:, 4].sum().item()  # Likes sep_conv_3x3.
    >>> uniform = EdgeWeights(torch.full((14, 8), 0.125), None)
    >>> tables = {"normal": uniform, "reduce": uniform}
    >>> search.finish(tables, score, torch.Generator().manual_seed(0))
    >>> search.accuracy
    3.0

    Attributes:
        rule: Searches the cell.
        topology: Nodes and edges of the cells.
        space: The cells that are sampled.
        cells: The result; None before the end.
        accuracy: Accuracy (%) of the result on all validation images.
    """

    rule: ChildSelection
    topology: Topology
    space: SearchSpace
    cells: Cells | None = None
    accuracy: float = -1.0
    evaluates: ClassVar[bool] = True

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return (
            StrongestEdges()(strengths, topology, space) if self.cells is None else dict(self.cells)
        )

    def begin_epoch(
        self,
        epoch: int,
        tables: Mapping[str, EdgeWeights],
        score: TableScore,
        generator: torch.Generator,
    ) -> None:
        """Nothing is due: all cells are judged at the end."""

    def finish(
        self, tables: Mapping[str, EdgeWeights], score: TableScore, generator: torch.Generator
    ) -> None:
        like = next(iter(tables.values())).operations

        def accuracy_of(cells: Cells, batches: int) -> float:
            columns = like.shape[1]
            made = child_tables(cells, self.topology, self.space, columns=columns, like=like)
            return score(made, batches)

        found = self.rule.search(accuracy_of, self.topology, self.space, generator)
        self.cells, self.accuracy = found

    def fixed(self, kind: str) -> None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"cells": self.cells, "accuracy": self.accuracy}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.cells, self.accuracy = state["cells"], state["accuracy"]
