"""Nodes and edges of a cell, and their order: the one place that knows it.

States are numbered 0 and 1 (the cell's two inputs), then 2, 3, … (the inner nodes). Every inner
node has an edge from each state before it. Edges are numbered node by node and, within a node, by
source, so the rows of alpha and beta of a 4-node cell start at 0, 2, 5 and 9 (PC-DARTS, §4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

INPUTS = 2


class EdgeWeights(NamedTuple):
    """The relaxed architecture of one kind of cell, as the cells read it.

    Attributes:
        operations: `[E, O]`, the weight of each candidate operation on each edge.
        edges: `[E]`, the weight of each edge (edge normalisation), or None for a weight of 1.
    """

    operations: Tensor
    edges: Tensor | None

    def detach(self) -> EdgeWeights:
        """The same weights, cut off from alpha and beta."""
        edges = None if self.edges is None else self.edges.detach()
        return EdgeWeights(self.operations.detach(), edges)

    def strengths(self) -> Tensor:
        """`[E, O]`: weight of the operation times weight of the edge."""
        return self.operations if self.edges is None else self.operations * self.edges.unsqueeze(1)


@dataclass(frozen=True)
class Edge:
    """One edge of a cell: its row in alpha and beta, and the states it joins."""

    index: int
    source: int
    target: int


@dataclass(frozen=True)
class Topology:
    """The densely connected cell with `nodes` inner nodes."""

    nodes: int = 4

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise ValueError(f"A cell needs at least one inner node, not {self.nodes}.")

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        pairs = [(source, target) for target in self.inner for source in range(target)]
        return tuple(Edge(index, *pair) for index, pair in enumerate(pairs))

    @property
    def states(self) -> range:
        """All states: the two inputs and the inner nodes."""
        return range(INPUTS + self.nodes)

    @property
    def inner(self) -> range:
        """The states that are inner nodes; their concatenation is the cell's output."""
        return range(INPUTS, INPUTS + self.nodes)

    def incoming(self, target: int) -> tuple[Edge, ...]:
        """The edges that end in inner node `target`, by source."""
        return tuple(edge for edge in self.edges if edge.target == target)

    def outgoing(self, source: int) -> tuple[Edge, ...]:
        """The edges that leave state `source`, by target; none leave the last inner node."""
        return tuple(edge for edge in self.edges if edge.source == source)

    def stride(self, source: int, reduction: bool) -> int:
        """2 on the edges of a reduction cell that leave one of its two inputs, else 1."""
        return 2 if reduction and source < INPUTS else 1
