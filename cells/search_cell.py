"""The search cell: every edge holds all candidate operations, evaluated node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.topology import INPUTS, Topology
from ops.backends import takes
from ops.fan_out import FanOut
from ops.mixed_norm import WeightedNorm
from ops.native.cell import Channels, Source, run_cell
from ops.native.preprocess import preprocess
from ops.partial import merge_matrices, partial_size, shuffle_order
from ops.primitives import FactorizedReduce, ReluConvBn

Norms = (WeightedNorm, nn.BatchNorm2d)


class EdgeWeights(NamedTuple):
    """What the architecture says of one kind of cell.

    operations: `[E, O]`, the weight of each candidate on each edge.
    edges: `[E]`, the weight of each edge (edge normalisation), or None for 1.
    """

    operations: Tensor
    edges: Tensor | None

    def detach(self) -> EdgeWeights:
        edges = None if self.edges is None else self.edges.detach()
        return EdgeWeights(self.operations.detach(), edges)


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
        backend: "torch" or "native" (ops/backends.py); the parameters are the same.

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
        processed, bypassed = merge_matrices(channels, self.selected, None)
        self.register_buffer("processed_places", processed, persistent=False)
        self.register_buffer("bypassed_places", bypassed, persistent=False)

    selection: Tensor
    processed_places: Tensor
    bypassed_places: Tensor

    def select_channels(self, selection: Tensor) -> None:
        """Use given permutations of the channels, `[sources, C]`, one a state with edges."""
        self.sampled = True
        self.selection.copy_(selection, non_blocking=True)

    def _places(self, source: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        if not self.sampled:
            return self.processed_places.to(dtype), self.bypassed_places.to(dtype)
        identity = torch.eye(self.channels, dtype=dtype, device=self.selection.device)
        places = identity[self.selection[source]]
        return places[: self.selected], places[self.selected :]

    def _split(self, source: int, state: Tensor) -> tuple[Tensor, Tensor]:
        """The channels of a state that are processed and those that bypass."""
        if self.sampled:
            state = state[:, self.selection[source]]
        sizes = [self.selected, self.channels - self.selected]
        processed, bypassed = state.split(sizes, dim=1)
        return processed, bypassed

    def forward(self, before_previous: Tensor, previous: Tensor, weights: EdgeWeights) -> Tensor:
        if self.backend == "native" and self._suits_kernels(before_previous, previous, *weights):
            return self._forward_native(before_previous, previous, weights)
        inputs = self.preprocess0(before_previous), self.preprocess1(previous)
        # Sums over incoming edges, as matrices [B·H·W, C]: placing channels is a product.
        sums: dict[int, Tensor] = {}
        states: dict[int, Tensor] = dict(enumerate(inputs))
        for source, fan_out in enumerate(self.fan_outs):
            edges = self.topology.outgoing(source)
            rows = [edge.index for edge in edges]
            processed, bypassed = self._split(source, states[source])
            edge_weights = weights.edges[rows] if weights.edges is not None else None
            mixture = weights.operations[rows]
            if edge_weights is not None:
                mixture = mixture * edge_weights.unsqueeze(1)
            mixed = fan_out(processed, mixture)
            if fan_out.stride == 2 and bypassed.shape[1]:
                bypassed = functional.max_pool2d(bypassed, 2, 2)
            size = mixed[0].shape
            processed_places, bypassed_places = self._places(source, bypassed.dtype)
            passing = _as_matrix(bypassed)
            for number, edge in enumerate(edges):
                part = _as_matrix(mixed[number])
                total = sums.get(edge.target)
                total = (
                    part @ processed_places
                    if total is None
                    else total.addmm_(part, processed_places)
                )
                if passing.shape[1]:
                    places = bypassed_places
                    if edge_weights is not None:
                        places = places * edge_weights[number]
                    total = total.addmm_(passing, places)
                sums[edge.target] = total
            # Every edge into the next inner node leaves this state or an earlier one.
            following = source + 1
            if following in sums:
                states[following] = _as_images(sums.pop(following), size)
        return torch.cat([states[node] for node in self.topology.inner], dim=1)

    def _suits_kernels(self, *tensors: Tensor | None) -> bool:
        adapted = (*self.preprocess0.parameters(), *self.preprocess1.parameters())
        weights = [weight for source in self.sources for weight in source.weights()]
        present = [tensor for tensor in tensors if tensor is not None]
        return takes(present, [*adapted, *weights], self._norms, self.training)

    def _forward_native(
        self, before_previous: Tensor, previous: Tensor, weights: EdgeWeights
    ) -> Tensor:
        inputs = (
            preprocess(self.preprocess0, before_previous),
            preprocess(self.preprocess1, previous),
        )
        order = place = self.selection.clone()
        if not self.sampled:
            order = torch.arange(self.channels).expand_as(self.selection)
            # What a shuffle reads at `place` is what stands there afterwards.
            place = shuffle_order(self.channels, self.channels // self.selected).argsort()
            place = place.expand_as(self.selection)
        return run_cell(self.sources, inputs, Channels(order, place), *weights)


def _as_matrix(images: Tensor) -> Tensor:
    """`[B, C, H, W]` as `[B·H·W, C]`, a view where the layout is channels_last."""
    return images.permute(0, 2, 3, 1).flatten(0, 2)


def _as_images(matrix: Tensor, size: torch.Size) -> Tensor:
    batch, _, height, width = size
    return matrix.view(batch, height, width, -1).permute(0, 3, 1, 2)
