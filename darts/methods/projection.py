"""Selection by perturbation: an operation is worth what the network loses without it (DARTS-PT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from cells.topology import Edge, EdgeWeights, Topology
from darts.methods.selection import NormStatisticsName, StrongestEdges, TableScore
from genotypes import Node, SearchSpace


@dataclass(frozen=True)
class Projection:
    """Decides one edge after the other by the accuracy without each operation, and trains between.

    First the edges, in random order: of the operations that a genotype may have there, the one
    whose removal (its weight becomes 0, the others stay as they are) gives the lowest accuracy is
    kept, with weight 1. Then the nodes with too many edges, in random order: the edge whose removal
    leaves the highest accuracy is removed, until as many are left as the space keeps. Each decision
    is one for every kind of cell, normal cells first. The accuracy is that on all validation
    images, with batch statistics.

    Of equal operations the first, of equal edges the last one is decided for. While a node loses
    several edges, those already removed count again in the accuracies, as in the authors' code.

    Source: DARTS-PT (Wang et al. 2021, arXiv 2108.04392, §4.2 and 4.3) and its code,
    sota/cnn/projection.py: a decision before every fifth epoch, and in the last one; a new SGD with
    a tenth of the learning rate, which stays constant.

    >>> from genotypes.search_space import DARTS
    >>> Projection().further_epochs(Topology(4), DARTS)
    81

    Attributes:
        interval: Epochs of training from one decision to the next.
        epochs: Number of epochs; 0 for as many as the decisions need. What is undecided in the last
            one is decided before it begins. (NAS-Bench-201: 25.)
        rate_factor: The learning rate, as a fraction of that of the search.
    """

    interval: int = 5
    epochs: int = 0
    rate_factor: float = 0.1
    evaluates: ClassVar[bool] = True
    statistics: ClassVar[NormStatisticsName] = "batch"

    def __post_init__(self) -> None:
        if self.interval < 1 or self.epochs < 0 or self.rate_factor < 0:
            raise ValueError("interval must be at least 1, epochs and rate_factor at least 0")

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return StrongestEdges()(strengths, topology, space)

    def further_epochs(self, topology: Topology, space: SearchSpace) -> int:
        decisions = len(topology.edges) + len(crowded_nodes(topology, space))
        return self.epochs or (decisions - 1) * self.interval + 1

    def start(self, topology: Topology, space: SearchSpace) -> Projector:
        return Projector(self, topology, space)


def crowded_nodes(topology: Topology, space: SearchSpace) -> list[int]:
    """The inner nodes with more edges than the space keeps."""
    numbers = {node: len(topology.incoming(node)) for node in topology.inner}
    return [node for node, number in numbers.items() if number > space.kept_edges(number)]


@dataclass
class CellDecisions:
    """What is decided in the cells of one kind.

    Attributes:
        operations: By decided edge the column of its operation, in the order of the decisions.
        nodes: The decided nodes.
        removed: The removed edges.
    """

    operations: dict[int, int] = field(default_factory=dict)
    nodes: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


@dataclass
class Projector:
    """The selection of `Projection` in progress; see `darts.methods.selection.Selector`.

    Attributes:
        rule: The numbers of the selection.
        topology: Nodes and edges of the cells.
        space: What a genotype may contain.
        decisions: By kind of cell what is decided.
        epoch: The last epoch that has been begun.
    """

    rule: Projection
    topology: Topology
    space: SearchSpace
    decisions: dict[str, CellDecisions] = field(init=False)
    epoch: int = -1
    evaluates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.decisions = {kind: CellDecisions() for kind in self.space.kinds}

    @property
    def cells(self) -> dict[str, tuple[Node, ...]] | None:
        """The result; None while something is undecided."""
        return None if self._undecided() else self._cells()

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        if self.cells is not None:
            return self.cells
        provisional = {}
        for kind, table in strengths.items():
            masked = table.detach().clone()
            for edge, column in self.decisions[kind].operations.items():
                kept = masked[edge, column].clone()
                masked[edge] = 0
                # Positive, so that the operation stays the best one of its edge.
                masked[edge, column] = kept.clamp_min(torch.finfo(kept.dtype).tiny)
            masked[self.decisions[kind].removed] = 0
            provisional[kind] = masked
        return self.rule(provisional, topology, space)

    def begin_epoch(
        self,
        epoch: int,
        tables: Mapping[str, EdgeWeights],
        score: TableScore,
        generator: torch.Generator,
    ) -> None:
        if epoch <= self.epoch:
            return  # A resumed run begins its epoch again.
        self.epoch = epoch
        last = self.rule.further_epochs(self.topology, self.space) - 1
        if epoch >= last:
            self.finish(tables, score, generator)
        elif epoch % self.rule.interval == 0 and self._undecided():
            self._decide(tables, score, generator)

    def finish(
        self, tables: Mapping[str, EdgeWeights], score: TableScore, generator: torch.Generator
    ) -> None:
        while self._undecided():
            self._decide(tables, score, generator)

    def _undecided(self) -> bool:
        edges, nodes = len(self.topology.edges), crowded_nodes(self.topology, self.space)
        return any(
            len(made.operations) < edges or len(made.nodes) < len(nodes)
            for made in self.decisions.values()
        )

    def _decide(
        self, tables: Mapping[str, EdgeWeights], score: TableScore, generator: torch.Generator
    ) -> None:
        """One decision for every kind of cell."""
        for kind, made in self.decisions.items():
            edges = [e for e in self.topology.edges if e.index not in made.operations]
            nodes = [n for n in crowded_nodes(self.topology, self.space) if n not in made.nodes]
            if edges:
                edge = edges[_random(len(edges), generator)]
                made.operations[edge.index] = self._operation(kind, edge, tables, score)
            elif nodes:
                node = nodes[_random(len(nodes), generator)]
                made.removed += self._removed(kind, node, tables, score)
                made.nodes.append(node)

    def _operation(
        self, kind: str, edge: Edge, tables: Mapping[str, EdgeWeights], score: TableScore
    ) -> int:
        """The column whose removal from an edge gives the lowest accuracy; the first of equals."""
        present = self._applied(tables)
        names = self.space.choices(kind, edge.source, edge.target)
        columns = [c for c, name in enumerate(self.space.operations) if name in names]
        if len(columns) == 1:
            return columns[0]
        accuracies = []
        for column in columns:
            operations = present[kind].operations.clone()
            operations[edge.index, column] = 0
            without = present[kind]._replace(operations=operations)
            accuracies.append(score({**present, kind: without}))
        return columns[accuracies.index(min(accuracies))]

    def _removed(
        self, kind: str, node: int, tables: Mapping[str, EdgeWeights], score: TableScore
    ) -> list[int]:
        """The edges of a node that leave the highest accuracies when they are removed."""
        present = self._applied(tables)
        left = [edge.index for edge in self.topology.incoming(node)]
        kept, removed = self.space.kept_edges(len(left)), []
        while len(left) > kept:
            accuracies = [
                score({**present, kind: _without_edges(present[kind], [edge])}) for edge in left
            ]
            best = max(accuracies)
            last = max(i for i, accuracy in enumerate(accuracies) if accuracy == best)
            removed.append(left.pop(last))
        return removed

    def _applied(self, tables: Mapping[str, EdgeWeights]) -> dict[str, EdgeWeights]:
        """The weights of the supernet with all decisions so far."""
        applied = {}
        for kind, weights in tables.items():
            made, operations = self.decisions[kind], weights.operations.detach().clone()
            for edge, column in made.operations.items():
                operations[edge, : len(self.space.operations)] = 0
                operations[edge, column] = 1
            weights = weights.detach()._replace(operations=operations)
            applied[kind] = _without_edges(weights, made.removed) if made.removed else weights
        return applied

    def fixed(self, kind: str) -> tuple[Tensor, Tensor]:
        """Weights of operations `[E, O]` and edges `[E]` that are decided, NaN where not."""
        made = self.decisions[kind]
        shape = len(self.topology.edges), len(self.space.operations)
        operations = torch.full(shape, torch.nan)
        for edge, column in made.operations.items():
            operations[edge] = 0
            operations[edge, column] = 1
        edges = torch.full(shape[:1], torch.nan)
        operations[made.removed], edges[made.removed] = 0, 0
        return operations, edges

    def _cells(self) -> dict[str, tuple[Node, ...]]:
        return {
            kind: tuple(
                tuple(
                    (self.space.operations[made.operations[edge.index]], edge.source)
                    for edge in self.topology.incoming(node)
                    if edge.index not in made.removed
                )
                for node in self.topology.inner
            )
            for kind, made in self.decisions.items()
        }

    def state_dict(self) -> dict[str, Any]:
        decisions = {
            kind: {
                "operations": dict(made.operations),
                "nodes": list(made.nodes),
                "removed": list(made.removed),
            }
            for kind, made in self.decisions.items()
        }
        return {"epoch": self.epoch, "decisions": decisions}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.decisions = {
            kind: CellDecisions(dict(made["operations"]), [*made["nodes"]], [*made["removed"]])
            for kind, made in state["decisions"].items()
        }


def _without_edges(weights: EdgeWeights, edges: Sequence[int]) -> EdgeWeights:
    """The weights with edges that pass nothing on, bypassed channels included."""
    operations = weights.operations.clone()
    passing = torch.ones_like(operations[:, 0]) if weights.edges is None else weights.edges.clone()
    operations[edges], passing[edges] = 0, 0
    return weights._replace(operations=operations, edges=passing)


def _random(size: int, generator: torch.Generator) -> int:
    return int(torch.randint(size, (1,), generator=generator))
