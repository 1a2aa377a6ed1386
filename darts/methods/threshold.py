"""Selections whose nodes may keep fewer edges than the space allows: FairDARTS and SNAS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cells.topology import Edge, Topology
from darts.methods.selection import allowed_strengths, best_operations, named_nodes, ranked
from genotypes import Node, SearchSpace


@dataclass(frozen=True)
class Threshold:
    """Keeps the strongest edges of each node whose strongest operation reaches a threshold.

    In the authors' code a node may end without any edge and is then removed. Here every node keeps
    as many edges as the space demands: the strongest ones below the threshold fill it up. In the
    space `darts-sparse` this is one edge per node; in spaces whose nodes keep a fixed number of
    edges, a threshold changes nothing.

    Source: FairDARTS (Chu et al. 2020, arXiv 1911.12126, §4.3) and its code (`threshold_sparse`).

    >>> import torch
    >>> from genotypes import SPACES
    >>> strengths = torch.tensor([[0.0, 0, 0.95, 0, 0, 0, 0], [0.8, 0, 0, 0, 0, 0, 0]])
    >>> tables = {"normal": strengths, "reduce": strengths}
    >>> Threshold()(tables, Topology(1), SPACES["darts-sparse"])["normal"]
    ((('skip_connect', 0),),)

    Attributes:
        threshold: The least weight of an operation, between 0 and 1.
    """

    threshold: float = 0.85
    evaluates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold must be between 0 and 1, not {self.threshold}")

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return {kind: self._cell(strengths[kind], topology, space, kind) for kind in space.kinds}

    def _cell(
        self, strengths: Tensor, topology: Topology, space: SearchSpace, kind: str
    ) -> tuple[Node, ...]:
        best, strongest = best_operations(allowed_strengths(strengths, topology, space, kind))

        def choose(incoming: Sequence[Edge]) -> Sequence[Edge]:
            number = len(incoming)
            order = ranked(incoming, strongest)[: space.kept_edges(number)]
            above = [edge for edge in order if strongest[edge.index] >= self.threshold]
            return order[: max(len(above), space.fewest_edges(number))]

        return named_nodes(topology, space, best, choose)


@dataclass(frozen=True)
class ZeroMayWin:
    """The strongest edges of each node, where `none` may win an edge like any other operation.

    An edge that `none` wins is absent. In the authors' code it nevertheless takes one of the places
    of a node, which then has one edge less. Where the space demands more edges, the next ones fill
    the node up: first the other edges that `none` has not won, then those it has won, with their
    strongest other operation. In a space without `none` this is `StrongestEdges`.

    Source: SNAS (Xie et al. 2019, arXiv 1812.09926) and its code, model_search.py.

    >>> import torch
    >>> from genotypes.search_space import SearchSpace
    >>> space = SearchSpace(name="one", operations=("none", "skip_connect"), kept=1)
    >>> strengths = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    >>> ZeroMayWin()({"normal": strengths, "reduce": strengths}, Topology(1), space)["normal"]
    ((('skip_connect', 1),),)
    """

    evaluates: ClassVar[bool] = False

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return {kind: self._cell(strengths[kind], topology, space, kind) for kind in space.kinds}

    def _cell(
        self, strengths: Tensor, topology: Topology, space: SearchSpace, kind: str
    ) -> tuple[Node, ...]:
        table = allowed_strengths(strengths, topology, space, kind, zero=True)
        winners, strongest = best_operations(table)
        others, second = best_operations(allowed_strengths(strengths, topology, space, kind))

        def choose(incoming: Sequence[Edge]) -> Sequence[Edge]:
            number = len(incoming)
            order = ranked(incoming, strongest)
            won = [edge for edge in order if winners[edge.index] != space.zero_column]
            lost = ranked([edge for edge in incoming if edge not in won], second)
            placed = [edge for edge in order[: space.kept_edges(number)] if edge in won]
            rest = [edge for edge in won if edge not in placed] + lost
            return placed + rest[: max(space.fewest_edges(number) - len(placed), 0)]

        return named_nodes(topology, space, others, choose)
