"""Selections: which edges and operations the genotype keeps at the end of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from cells.topology import Edge, EdgeWeights, Topology
from genotypes import Node, SearchSpace


class Selection(Protocol):
    """Chooses the cells of the genotype.

    Attributes:
        evaluates: Whether it evaluates the supernet with weights of its own choice.
    """

    @property
    def evaluates(self) -> bool: ...

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        """The inner nodes of each kind of cell that the space searches.

        Args:
            strengths: By kind of cell `[E, O]`, one number per edge and operation.
            topology: Nodes and edges of the cells.
            space: What the genotype may contain.
        """


NormStatisticsName = Literal["batch", "reestimated"]
"""Statistics of the batch norms of a judged cell; see `darts.searching.norm_statistics`."""


class TableScore(Protocol):
    """Measures a supernet with weights of someone's choice."""

    def __call__(self, tables: Mapping[str, EdgeWeights], batches: int = 0) -> float:
        """Accuracy (%) on the first `batches` batches of validation images; 0 for all of them."""


class Selector(Protocol):
    """A selection in progress, which evaluates the supernet. It has the state of the selection.

    It is a `Selection` as well: before its end, it returns a provisional cell.

    Attributes:
        evaluates: True.
        cells: The result by kind of cell; None before the end.
    """

    @property
    def evaluates(self) -> bool: ...

    @property
    def cells(self) -> Mapping[str, tuple[Node, ...]] | None: ...

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        """The cells so far: those of the strengths, with all decisions that are made."""

    def begin_epoch(
        self,
        epoch: int,
        tables: Mapping[str, EdgeWeights],
        score: TableScore,
        generator: torch.Generator,
    ) -> None:
        """Decide what is due before an epoch of the selection; once, if called again.

        Args:
            epoch: Epoch of the selection, from 0.
            tables: The present weights of the supernet.
            score: Measures the supernet.
            generator: The source of all random choices.
        """

    def finish(
        self, tables: Mapping[str, EdgeWeights], score: TableScore, generator: torch.Generator
    ) -> None:
        """Decide what is left after the last epoch; afterwards `cells` is the result."""

    def fixed(self, kind: str) -> tuple[Tensor, Tensor] | None:
        """Weights of operations `[E, O]` and edges `[E]` that are decided, NaN where not."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class EvaluatedSelection(Selection, Protocol):
    """A selection that evaluates the supernet, after the search or in further epochs of training.

    Attributes:
        rate_factor: The learning rate of these epochs, as a fraction of that of the search.
        statistics: Statistics of the batch norms while cells are judged: "batch" or "reestimated"
            (`darts.searching.norm_statistics`).
    """

    @property
    def rate_factor(self) -> float: ...

    @property
    def statistics(self) -> NormStatisticsName: ...

    def further_epochs(self, topology: Topology, space: SearchSpace) -> int:
        """Number of epochs of training that the selection adds to a search."""

    def start(self, topology: Topology, space: SearchSpace) -> Selector:
        """The selection before its first decision."""


@dataclass(frozen=True)
class StrongestEdges:
    """Keeps the strongest edges of each node, each with its strongest operation.

        strength of edge e = max over o ≠ none of s[e, o],   s = w · v

    In a space whose nodes keep all edges, such as NAS-Bench-201, this is the strongest operation of
    every edge; there `none` is an operation like the others.

    Source: DARTS, §2.4; with edge normalisation PC-DARTS, §3.3.

    >>> import torch
    >>> from genotypes.search_space import DARTS
    >>> strengths = torch.tensor([[0.9, 0.1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1.0, 0, 0, 0, 0]])
    >>> cells = StrongestEdges()({"normal": strengths, "reduce": strengths}, Topology(1), DARTS)
    >>> cells["normal"]
    ((('skip_connect', 1), ('max_pool_3x3', 0)),)
    """

    evaluates: ClassVar[bool] = False

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        return {kind: derive_cell(strengths[kind], topology, space, kind) for kind in space.kinds}


@dataclass(frozen=True)
class StrongestOperations:
    """Keeps the strongest edges by alpha alone: the weight of an edge (beta) does not count.

        s[e, o] = w[e, o] / sum over o' of w[e, o']

    Beta scales all operations of an edge alike and is divided out. Without edge normalisation and
    with weights that sum to 1, this is `StrongestEdges`. It shows how much of a cell beta decides.

    >>> import torch
    >>> from genotypes.search_space import SearchSpace
    >>> space = SearchSpace(name="two", operations=("noise", "skip_connect"), zero=None, kept=1)
    >>> strengths = torch.tensor([[0.6, 0.3], [0.1, 0.0]])  # The second edge has a small beta.
    >>> StrongestOperations()({"normal": strengths, "reduce": strengths}, Topology(1), space)[
    ...     "normal"
    ... ]
    ((('noise', 1),),)
    """

    evaluates: ClassVar[bool] = False

    def __call__(
        self, strengths: Mapping[str, Tensor], topology: Topology, space: SearchSpace
    ) -> dict[str, tuple[Node, ...]]:
        alone = {}
        for kind in space.kinds:
            sums = strengths[kind].double().sum(dim=1, keepdim=True)
            alone[kind] = strengths[kind].double() / sums.clamp_min(torch.finfo(sums.dtype).tiny)
        return StrongestEdges()(alone, topology, space)


def derive_cell(
    strengths: Tensor, topology: Topology, space: SearchSpace, kind: str = "normal"
) -> tuple[Node, ...]:
    """The inner nodes of one cell: the strongest edges of each, the stronger one first.

    Equal edges and equal operations are decided in favour of the lower index, as in the authors'
    code. Where a node keeps all edges, they are in the order of their sources.

    Args:
        strengths: `[E, O]`.
        topology: Nodes and edges of the cell.
        space: Names the operations of the columns, and says how many edges a node keeps.
        kind: "normal" or "reduce".
    """
    best, strongest = best_operations(allowed_strengths(strengths, topology, space, kind))

    def choose(incoming: Sequence[Edge]) -> Sequence[Edge]:
        if space.kept is None:
            return incoming
        return ranked(incoming, strongest)[: space.kept]

    return named_nodes(topology, space, best, choose)


def allowed_strengths(
    strengths: Tensor, topology: Topology, space: SearchSpace, kind: str, *, zero: bool = False
) -> Tensor:
    """`[E, O]` in float64 on the CPU, -inf for operations that a genotype may not have on an edge.

    Args:
        strengths: `[E, O]`.
        topology: Nodes and edges of the cell.
        space: Names the operations of the columns and the candidates of each edge.
        kind: "normal" or "reduce".
        zero: Whether the operation that means "no edge" stays as well.
    """
    names = space.candidates if zero else space.choices
    allowed = [
        [name in names(kind, edge.source, edge.target) for name in space.operations]
        for edge in topology.edges
    ]
    table = strengths.detach().double().cpu()
    return table.masked_fill(~torch.tensor(allowed), -torch.inf)


def best_operations(table: Tensor) -> tuple[list[int], list[float]]:
    """Column and strength of the strongest operation of each edge; the first one of equal ones."""
    # argmax does not define the order of ties; a stable sort does.
    best = table.argsort(dim=1, descending=True, stable=True)[:, :1]
    return best.flatten().tolist(), table.gather(1, best).flatten().tolist()


def ranked(edges: Sequence[Edge], strongest: Sequence[float]) -> list[Edge]:
    """Edges by decreasing strength; of equal ones, the one with the lower source is first."""
    return sorted(edges, key=lambda edge: -strongest[edge.index])


def named_nodes(
    topology: Topology,
    space: SearchSpace,
    best: Sequence[int],
    choose: Callable[[Sequence[Edge]], Sequence[Edge]],
) -> tuple[Node, ...]:
    """The nodes of a cell, each with the edges that `choose` takes of its incoming ones.

    Args:
        topology: Nodes and edges of the cell.
        space: Names the columns.
        best: By edge the column of its operation.
        choose: Incoming edges of a node -> those that it keeps, in their order.
    """
    return tuple(
        tuple(
            (space.operations[best[edge.index]], edge.source)
            for edge in choose(topology.incoming(node))
        )
        for node in topology.inner
    )
