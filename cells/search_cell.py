"""The search cell: every edge has all candidate operations; an engine evaluates the cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cells.skeleton import CellPlace
from cells.topology import INPUTS, EdgeWeights, Topology
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.partial import partial_size, shuffle_matrix, shuffle_order
from ops.primitives import FactorizedReduce, ReluConvBn
from ops.regularize import RandomModule


class CellEvaluator(Protocol):
    """What evaluates a cell: an engine of `cells.engines`."""

    def evaluate(
        self,
        cell: SearchCell,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
    ) -> Tensor: ...


class OutgoingEdges(NamedTuple):
    """The edges that leave one state.

    Attributes:
        fan_out: Their mixed operations.
        rows: Their rows in alpha and beta.
        targets: The inner nodes where they end, numbered from 0.
    """

    fan_out: FanOut
    rows: tuple[int, ...]
    targets: tuple[int, ...]


class SearchCell(nn.Module):
    """One cell of the supernet with partial channel connections.

        x_j = sum over i < j of  b_ij · [ sum over o of  a_ij,o · o(S x_i)  +  (1 - S) x_i ]

    a are the weights of the operations, b those of the edges, and S selects C/K channels. The
    output concatenates the inner nodes. Source: PC-DARTS (arXiv 1907.05737, §3.2, Eq. 2, and §3.3,
    Eq. 4). The cell holds parameters and topology; the engine that is passed to `forward` evaluates
    it (cells/engines.py). All engines compute the same numbers.

    With one input (`Topology(nodes, inputs=1)`) a cell reads only the previous state, without
    preprocessing, and `before_previous` is None; this and the output "last" are the cell of
    NAS-Bench-201 (arXiv 2001.00326, §2).

    Shapes: inputs `[B, place.before_previous, H, W]` (`2H, 2W` after a reduction) and
    `[B, place.previous, H, W]`; result `[B, nodes·C, H', W']` with H' = H/2 in a reduction cell.

    >>> from cells.torch_engine import TorchEngine
    >>> place = CellPlace(0, False, False, 12, 12, 8, 1)
    >>> cell = SearchCell(Topology(2), ("none", "max_pool_3x3"), place, k=4)
    >>> weights = EdgeWeights(torch.full((5, 2), 0.5), None)
    >>> cell(torch.ones(1, 12, 4, 4), torch.ones(1, 12, 4, 4), weights, TorchEngine()).shape
    torch.Size([1, 16, 4, 4])

    Args:
        topology: Nodes and edges.
        operations: Names of the candidates, in the order of alpha's columns.
        place: Channels of the inputs, C, and whether the cell reduces.
        k: K; the mixed operations process C/K channels.
        candidates: (source, target) -> the operations that this edge has; by default all.
        normalised: Whether batch norm follows pooling.
        output: "concat" returns all inner nodes, "last" the last one.

    Raises:
        ChannelError: K does not divide C, or C/K is odd where a factorised reduction is needed.
    """

    def __init__(
        self,
        topology: Topology,
        operations: Sequence[str],
        place: CellPlace,
        *,
        k: int,
        candidates: Callable[[int, int], Sequence[str]] | None = None,
        normalised: bool = True,
        output: str = "concat",
    ) -> None:
        super().__init__()
        self.topology, self.place, self.channels = topology, place, place.channels
        channels = place.channels
        self.selected = partial_size(channels, k)
        self.output = output
        # What the kernels of the engines assume.
        self.standard = topology.inputs == INPUTS and output == "concat" and normalised
        self.preprocess0: ReluConvBn | FactorizedReduce | None = None
        self.preprocess1: ReluConvBn | None = None
        if topology.inputs > 1:
            adapt = FactorizedReduce if place.previous_reduction else ReluConvBn
            self.preprocess0 = adapt(place.before_previous, channels, affine=False)
            self.preprocess1 = ReluConvBn(place.previous, channels, affine=False)
        self.sources = [
            OutgoingEdges(
                FanOut(
                    operations,
                    self.selected,
                    len(edges),
                    topology.stride(source, place.reduction),
                    candidates and [candidates(edge.source, edge.target) for edge in edges],
                    normalised=normalised,
                ),
                tuple(edge.index for edge in edges),
                tuple(edge.target - topology.inputs for edge in edges),
            )
            for source in topology.states
            if (edges := topology.outgoing(source))
        ]
        self.fan_outs = nn.ModuleList(source.fan_out for source in self.sources)
        kinds = (WeightedNorm, nn.BatchNorm2d)
        self.norms = [module for module in self.modules() if isinstance(module, kinds)]
        self.random = [module for module in self.modules() if isinstance(module, RandomModule)]
        # The initial zeros are never read: `sampled` stays False until `select_channels`.
        self.sampled = False
        self.register_buffer(
            "selection", torch.zeros(len(self.fan_outs), channels, dtype=torch.int64)
        )
        shuffle = shuffle_matrix(channels, channels // self.selected)
        self.register_buffer("shuffle", shuffle, persistent=False)

        # Buffers, so that the device reads orders and rows without waiting for the host.
        orders = torch.arange(channels).expand_as(self.selection).clone()
        # `places` is the inverse permutation of the shuffle.
        places = shuffle_order(channels, channels // self.selected).argsort().expand_as(orders)
        rows = [row for source in self.sources for row in source.rows]
        self.register_buffer("orders", orders, persistent=False)
        self.register_buffer("places", places.clone(), persistent=False)
        self.register_buffer("rows", torch.tensor(rows), persistent=False)

    selection: Tensor
    shuffle: Tensor
    orders: Tensor
    places: Tensor
    rows: Tensor

    def select_channels(self, selection: Tensor) -> None:
        """Use these permutations of the channels `[sources, C]`, one per state with edges."""
        self.sampled = True
        self.selection.copy_(selection, non_blocking=True)

    def draw_from(self, generator: torch.Generator | None) -> None:
        """Let the operations that draw random numbers use this generator."""
        for module in self.random:
            if generator is not None:
                module.generator = generator

    def forward(
        self,
        before_previous: Tensor | None,
        previous: Tensor,
        weights: EdgeWeights,
        engine: CellEvaluator,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Let `engine` compute the output; random operations draw from `generator`."""
        self.draw_from(generator)
        return engine.evaluate(self, before_previous, previous, weights)

    @property
    def complete(self) -> bool:
        """Whether all edges have all operations."""
        return all(source.fan_out.complete for source in self.sources)

    @property
    def bypasses(self) -> bool:
        """Whether a node also needs the channels of its states or their positions."""
        return self.selected < self.channels or self.sampled

    def by_source(self, weights: EdgeWeights) -> tuple[Tensor, Tensor]:
        """Weights ordered by source: operation times edge weights `[E, O]`, edge weights `[E]`."""
        mixture = weights.operations.index_select(0, self.rows)
        if weights.edges is None:
            return mixture, torch.ones_like(mixture[:, 0])
        passing = weights.edges.index_select(0, self.rows)
        return mixture * passing.unsqueeze(1), passing

    def folded(self, mixture: Tensor) -> Tensor:
        """The mixture `[E, O]` by source, with the weights of all identities in one column."""
        if all(len(fan_out.plain_identities) < 2 for fan_out in self._fans):
            return mixture
        parts = mixture.split([len(source.rows) for source in self.sources])
        return torch.cat(
            [
                fan_out.fold(part) if fan_out.plain_identities else part
                for fan_out, part in zip(self._fans, parts, strict=True)
            ]
        )

    @property
    def _fans(self) -> list[FanOut]:
        return [source.fan_out for source in self.sources]

    @property
    def dropping(self) -> bool:
        """Whether dropout follows skip connections now."""
        return any(fan_out.dropped for fan_out in self._fans)

    def drop_skips(self, rate: float) -> None:
        """Let dropout of this rate follow all skip connections with stride 1."""
        for fan_out in self._fans:
            fan_out.skip.rate = rate

    def active_by_source(self, weights: EdgeWeights) -> list[tuple[tuple[int, ...], ...] | None]:
        """For each source the columns that its edges compute; None means all candidates."""
        if weights.active is None:
            return [None] * len(self.sources)
        return [tuple(weights.active[row] for row in one.rows) for one in self.sources]

    def processed(self, source: int, state: Tensor) -> Tensor:
        """The channels of a state that its mixed operations process, `[B, C/K, H, W]`."""
        if self.sampled:
            return state[:, self.selection[source, : self.selected]]
        return state[:, : self.selected]
