"""Nodes and edges of a cell, and their order. No other module knows this order.

The first states are the inputs of the cell (0 and 1 in DARTS); the inner nodes follow (2, 3, …).
Every inner node has an edge from each state before it. Edges are numbered by node, then by source.
The rows of alpha and beta of a DARTS cell with 4 nodes therefore start at 0, 2, 5 and 9 (PC-DARTS,
arXiv 1907.05737, §4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

INPUTS = 2
"""Number of input states of a DARTS cell."""


class EdgeWeights(NamedTuple):
    """The relaxed architecture of one kind of cell: the weights that its mixed operations use.

    >>> import torch
    >>> weights = EdgeWeights(torch.tensor([[0.25, 0.75]]), torch.tensor([0.5]))
    >>> weights.strengths().tolist()
    [[0.125, 0.375]]

    Attributes:
        operations: `[E, O]`, the weight of each candidate operation on each edge.
        edges: `[E]`, the weight of each edge (edge normalisation), or None for a weight of 1.
        active: For each edge the columns that are computed; None computes all candidates of every
            edge. The weight of a column that is not listed has no effect and gets the gradient 0.
        keep: `[E, B]`, a factor for the output of each edge and sample (drop path), or None.
    """

    operations: Tensor
    edges: Tensor | None
    active: tuple[tuple[int, ...], ...] | None = None
    keep: Tensor | None = None

    def detach(self) -> EdgeWeights:
        """The same weights, detached from alpha and beta."""
        edges = None if self.edges is None else self.edges.detach()
        return self._replace(operations=self.operations.detach(), edges=edges)

    def strengths(self) -> Tensor:
        """`[E, O]`: the weight of the operation times the weight of the edge."""
        return self.operations if self.edges is None else self.operations * self.edges.unsqueeze(1)


Tables = Mapping[str, EdgeWeights] | Sequence[EdgeWeights]
"""The weights of all cells: by kind of cell, or one entry per cell in order."""


@dataclass(frozen=True)
class Edge:
    """One edge of a cell.

    Attributes:
        index: The row of the edge in alpha and beta.
        source: The state where it starts.
        target: The inner node where it ends.
    """

    index: int
    source: int
    target: int


@dataclass(frozen=True)
class Topology:
    """The densely connected cell with `inputs` input states and `nodes` inner nodes.

    >>> len(Topology(4).edges)
    14
    >>> [edge.source for edge in Topology(4).incoming(3)]
    [0, 1, 2]
    >>> [(edge.target, edge.source) for edge in Topology(3, inputs=1).edges]
    [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]

    Raises:
        ValueError: There is no input or no inner node.
    """

    nodes: int = 4
    inputs: int = INPUTS

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.inputs < 1:
            raise ValueError(
                f"A cell needs at least one input and one inner node, not {self.inputs} and "
                f"{self.nodes}."
            )

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        pairs = [(source, target) for target in self.inner for source in range(target)]
        return tuple(Edge(index, *pair) for index, pair in enumerate(pairs))

    @property
    def states(self) -> range:
        """All states: the inputs and the inner nodes."""
        return range(self.inputs + self.nodes)

    @property
    def inner(self) -> range:
        """The states that are inner nodes."""
        return range(self.inputs, self.inputs + self.nodes)

    def incoming(self, target: int) -> tuple[Edge, ...]:
        """The edges that end in inner node `target`, ordered by source."""
        return tuple(edge for edge in self.edges if edge.target == target)

    def outgoing(self, source: int) -> tuple[Edge, ...]:
        """The edges that leave state `source`, ordered by target; the last node has none."""
        return tuple(edge for edge in self.edges if edge.source == source)

    def stride(self, source: int, reduction: bool) -> int:
        """2 on the edges of a reduction cell that leave one of its inputs, else 1."""
        return 2 if reduction and source < self.inputs else 1
