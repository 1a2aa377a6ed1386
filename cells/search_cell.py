"""The search cell: every edge holds all candidate operations, evaluated node by node."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from cells.topology import INPUTS, EdgeWeights, Topology
from ops.backends import takes, takes_triton
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.node_sum import node_sum
from ops.native.cell import Channels, Source, run_cell
from ops.native.preprocess import preprocess
from ops.partial import partial_size, shuffle_matrix, shuffle_order
from ops.primitives import FactorizedReduce, ReluConvBn

Norms = (WeightedNorm, nn.BatchNorm2d)


class SearchCell(nn.Module):
    """One cell of the supernet with partial channel connections (PC-DARTS, §3.2, Eq. 2 and 4).

    Args:
        topology: Nodes and edges.
        operations: Names of the candidates, in the order of alpha's columns.
        before_previous: Channels of the first input.
        previous: Channels of the second input.
        channels: C, the channels of every state of the cell.
        k: One Kth of the channels goes through the mixed operations.
        reduction: Whether the edges that leave the two inputs have stride 2.
        previous_reduction: Whether the second input is half the size of the first one.
        backend: "torch", "native" or "triton" (ops/backends.py); the parameters are the same.

    Shapes: inputs `[B, before_previous, H, W]` and `[B, previous, H, W]`, the result
    `[B, nodes·C, H', W']`. Raises `ChannelError` if K does not split C.
    """

    def __init__(
        self,
        topology: Topology,
        operations: Sequence[str],
        *,
        before_previous: int,
        previous: int,
        channels: int,
        k: int,
        reduction: bool,
        previous_reduction: bool,
        backend: str = "torch",
    ) -> None:
        super().__init__()
        self.topology, self.channels, self.reduction = topology, channels, reduction
        self.backend = backend
        self.rectified = False
        self.selected = partial_size(channels, k)
        adapt = FactorizedReduce if previous_reduction else ReluConvBn
        self.preprocess0 = adapt(before_previous, channels, affine=False)
        self.preprocess1 = ReluConvBn(previous, channels, affine=False)
        self.sources = [
            Source(
                FanOut(operations, self.selected, len(edges), topology.stride(source, reduction)),
                rows=[edge.index for edge in edges],
                targets=[edge.target - INPUTS for edge in edges],
            )
            for source in topology.states
            if (edges := topology.outgoing(source))
        ]
        self.fan_outs = nn.ModuleList(source.fan_out for source in self.sources)
        self._norms = [module for module in self.modules() if isinstance(module, Norms)]
        # Random sampling of channels stores a permutation for each source; a row of zeros as
        # drawn by nobody is never read, because `sampled` says which form is in force.
        self.sampled = False
        self.register_buffer(
            "selection", torch.zeros(len(self.fan_outs), channels, dtype=torch.int64)
        )
        shuffle = shuffle_matrix(channels, channels // self.selected)
        self.register_buffer("shuffle", shuffle, persistent=False)

        # What kernels read of the channels and edges, where the device finds it without the host.
        orders = torch.arange(channels).expand_as(self.selection).clone()
        # What a shuffle reads at `place` is what stands there afterwards.
        places = shuffle_order(channels, channels // self.selected).argsort().expand_as(orders)
        rows = [row for source in self.sources for row in source.rows]
        self.register_buffer("orders", orders, persistent=False)
        self.register_buffer("places", places.clone(), persistent=False)
        self.register_buffer("rows", torch.tensor(rows), persistent=False)

    rectified: bool
    """Whether the inputs that are passed went through ReLU."""
    selection: Tensor
    shuffle: Tensor
    orders: Tensor
    places: Tensor
    rows: Tensor

    def select_channels(self, selection: Tensor) -> None:
        """Use given permutations of the channels, `[sources, C]`, one a state with edges."""
        self.sampled = True
        self.selection.copy_(selection, non_blocking=True)

    def forward(self, before_previous: Tensor, previous: Tensor, weights: EdgeWeights) -> Tensor:
        if self.backend == "native" and self.suits_kernels(before_previous, previous, *weights):
            return self._forward_native(before_previous, previous, weights)
        if self.backend == "triton" and self._suits_triton(before_previous, previous, *weights):
            return self._forward_triton(before_previous, previous, weights)
        if self.rectified:
            states = [
                self.preprocess0.after_relu(before_previous),
                self.preprocess1.after_relu(previous),
            ]
        else:
            states = [self.preprocess0(before_previous), self.preprocess1(previous)]
        # Of each state: what its outgoing edges carry besides their mixtures.
        bypasses: list[Tensor] = []
        mixed: dict[int, list[Tensor]] = {node: [] for node in self.topology.inner}
        mixtures = self._ordered(weights)[0].split([len(one.rows) for one in self.sources])
        for source, fan_out in enumerate(self.fan_outs):
            if source >= INPUTS:
                states.append(self._node(source, bypasses, mixed.pop(source), weights.edges))
            state = states[source]
            edges = self.topology.outgoing(source)
            parts = fan_out(self._processed(source, state), mixtures[source])
            for edge, part in zip(edges, parts, strict=True):
                mixed[edge.target].append(part)
            pooled = fan_out.stride == 2 and self._bypasses
            bypasses.append(max_pool2d(state, 2, 2) if pooled else state)
        last = self.topology.inner[-1]
        states.append(self._node(last, bypasses, mixed.pop(last), weights.edges))
        return torch.cat(states[INPUTS:], dim=1)

    @property
    def _bypasses(self) -> bool:
        """Whether nodes need more of a state than its mixtures: all of it, or channels' places."""
        return self.selected < self.channels or self.sampled

    def _ordered(self, weights: EdgeWeights) -> tuple[Tensor, Tensor]:
        """Source by source: the weights of operations `[E, O]` times those of edges; the latter."""
        mixture = weights.operations.index_select(0, self.rows)
        if weights.edges is None:
            return mixture, torch.ones_like(mixture[:, 0])
        passing = weights.edges.index_select(0, self.rows)
        return mixture * passing.unsqueeze(1), passing

    def _processed(self, source: int, state: Tensor) -> Tensor:
        """The channels of a state that its mixed operations see."""
        if self.sampled:
            return state[:, self.selection[source, : self.selected]]
        return state[:, : self.selected]

    def _node(
        self,
        node: int,
        bypasses: Sequence[Tensor],
        mixed: Sequence[Tensor],
        edge_weights: Tensor | None,
    ) -> Tensor:
        if not self._bypasses:
            return torch.stack(list(mixed)).sum(dim=0)
        edges = self.topology.incoming(node)
        sources = [edge.source for edge in edges]
        if edge_weights is not None:
            edge_weights = edge_weights[edges[0].index : edges[-1].index + 1]
        return node_sum(
            [bypasses[source] for source in sources],
            mixed,
            edge_weights,
            self.selection[: len(sources)] if self.sampled else None,
            None if self.sampled else self.shuffle,
        )

    def suits_kernels(self, *tensors: Tensor | None) -> bool:
        """Whether the native kernels can evaluate this cell now, on tensors like the given ones."""
        adapted = (*self.preprocess0.parameters(), *self.preprocess1.parameters())
        weights = [weight for source in self.sources for weight in source.weights()]
        present = [tensor for tensor in tensors if tensor is not None]
        return takes(present, [*adapted, *weights], self._norms, self.training)

    def _suits_triton(self, *tensors: Tensor | None) -> bool:
        present = [tensor for tensor in tensors if tensor is not None]
        return takes_triton(present, list(self.parameters()), self._norms, self.training)

    def _forward_native(
        self, before_previous: Tensor, previous: Tensor, weights: EdgeWeights
    ) -> Tensor:
        inputs = [
            *preprocess([self.preprocess0], [before_previous]),
            *preprocess([self.preprocess1], [previous]),
        ]
        return torch.cat(self.nodes_by_kernels(inputs, weights), dim=1)

    def nodes_by_kernels(
        self, inputs: Sequence[Tensor], weights: EdgeWeights
    ) -> tuple[Tensor, ...]:
        """The nodes from the preprocessed inputs, `[B, C, H, W]` each, by the native kernels."""
        order = place = self.selection.clone()
        if not self.sampled:
            order, place = self.orders, self.places
        return run_cell(self.sources, inputs, Channels(order, place), *self._ordered(weights))

    def _forward_triton(
        self, before_previous: Tensor, previous: Tensor, weights: EdgeWeights
    ) -> Tensor:
        from ops.triton import cell, source

        sources = [
            source.Source(index, one.fan_out, one.targets) for index, one in enumerate(self.sources)
        ]
        inputs = self.preprocess0(before_previous), self.preprocess1(previous)
        mixture, passing = self._ordered(weights)
        order, place = self.orders, self.places
        if self.sampled:
            order = place = self.selection
        return cell.run_cell(sources, inputs, order, place, mixture, passing)
