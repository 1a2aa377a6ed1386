"""One source of a cell on the GPU: a state and the edges that leave it, forward and backward.

The convolutions are PyTorch's. A few kernels compute everything else; each of them handles all
edges and all branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
from torch import Tensor

from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.triton import backward_kernels, forward_kernels
from ops.triton.convolutions import ConvolutionSettings, settings_of
from ops.triton.norms import (
    blocks_of,
    lanes_of,
    measure_norms,
    normalise_branches,
    normalise_branches_backward,
    pixels,
    real,
    rows_of,
)
from ops.triton.parts import (
    Kept,
    Pooled,
    Surroundings,
    branches_of,
    names_beside,
    pools_of,
)

WARPS = 8
"""Warps of kernels that keep much in registers; benchmarks/triton_static.py says how much."""


class TritonSource:
    """A state with the edges that leave it.

    Args:
        index: Number of the state.
        is_input: Whether the state is an input of the cell, which has a tensor of its own.
        fan_out: The mixed operations of the edges.
        targets: The inner nodes where the edges end, numbered from 0; consecutive numbers.
    """

    def __init__(self, index: int, is_input: bool, fan_out: FanOut, targets: Sequence[int]) -> None:
        self.index, self.is_input = index, is_input
        self.fan_out, self.first = fan_out, targets[0]
        self.edges, self.channels = fan_out.edges, fan_out.channels
        assert list(targets) == list(range(self.first, self.first + self.edges))
        # Branches with two convolutions come first, so that their batch norms are neighbours.
        self.branches = sorted(branches_of(fan_out), key=lambda branch: -len(branch.fans))
        self.double = [branch for branch in self.branches if len(branch.fans) == 2]
        self.fans = [branch.fans[0] for branch in self.branches]
        self.fans += [branch.fans[1] for branch in self.double]
        self.convolutions: list[ConvolutionSettings] = [settings_of(fan) for fan in self.fans]
        self.pools = pools_of(fan_out)
        norms = (fan_out.shared[name].norm for name in self.pools.values())
        self.pool_norms = [norm for norm in norms if isinstance(norm, WeightedNorm)]
        self.beside = names_beside(fan_out)
        # The first identity has the weights of all; see `FanOut.fold`.
        identities = fan_out.plain_identities
        self.identity = fan_out.columns[identities[0]] if identities else -1
        # Columns of the statistics: first of the convolutions, first of the second ones, total.
        width = self.edges * self.channels
        self.start = len(self.pools) * self.channels
        self.middle = self.start + len(self.branches) * width
        self.table = self.middle + len(self.double) * width
        # The index of the last convolution of each branch.
        number = len(self.branches)
        self.last = [*range(number, len(self.fans)), *range(len(self.double), number)]

    def beside_parameters(self) -> list[Tensor]:
        """The parameters of the operations that run beside the kernels."""
        return [p for name in self.beside for p in self.fan_out.branch(name).parameters()]

    @property
    def slots(self) -> int:
        """The number of sums per edge and channel in the backward pass; see `sums_kernel`."""
        return 2 + len(self.fan_out.columns)

    def forward(self, state: Tensor, kernels: Sequence[Tensor], around: Surroundings) -> Kept:
        """Add the mixtures of all edges to the nodes; the first source initialises the nodes."""
        training = self.fan_out.training
        pooled = self._prepare(state, around)
        convolved = [
            convolve(pooled.active, kernel)
            for convolve, kernel in zip(
                self.convolutions, kernels[: len(self.branches)], strict=False
            )
        ]
        dtype = real(state.dtype)[0]
        statistics = torch.empty((2, self.table), dtype=dtype, device=state.device)
        if self.pools or self.branches:
            norms = [*self.pool_norms, *(branch.norms[0] for branch in self.branches)]
            measure_norms([*self._of_pools(pooled), *convolved], norms, 0, statistics, training)
        if self.double:
            inner = normalise_branches(
                convolved[: len(self.double)], self.start, statistics, relu=True
            )
            seconds = slice(len(self.branches), None)
            settings = zip(self.convolutions[seconds], inner, kernels[seconds], strict=True)
            results = [convolve(x, kernel) for convolve, x, kernel in settings]
            norms = [branch.norms[1] for branch in self.double]
            measure_norms(results, norms, self.middle, statistics, training)
            convolved += results
        kept = Kept(statistics, pooled, convolved)
        rows = pixels(around.nodes)
        portion = rows_of(self._widest(around))
        forward_kernels.combine_kernel[(triton.cdiv(rows, portion) * self.edges,)](
            *self._mixed(kept),
            state,
            statistics,
            around.mixture,
            around.passing,
            around.order,
            around.place,
            self._ends(around),
            rows,
            *self._sizes(state, around),
            self.table,
            **self._channels(around),
            **self._mixing(),
            **self._passing(around),
            ASSIGN=self.index == 0,
            ROWS=portion,
        )
        return kept

    def backward(
        self,
        state: Tensor,
        kernels: Sequence[Tensor],
        kept: Kept,
        around: Surroundings,
        sums: Tensor,
        d_state: Tensor | None,
        learned: Sequence[bool],
    ) -> list[Tensor | None]:
        """Compute the gradients of `kernels` and of the state.

        Args:
            state: The state `[B, C, H, W]`.
            kernels: The dense kernels.
            kept: The saved tensors of the forward pass.
            around: Its `nodes` are the gradients of the nodes.
            sums: Receives the sums `[E, slots, C/K]`; see `sums_kernel`.
            d_state: Receives the gradient of the state: overwritten for an input of the cell, else
                added to. None if it is not needed.
            learned: Which kernels need a gradient.
        """
        self._sum(state, kept, around, sums)
        if d_state is None and not any(learned):
            return [None] * len(kernels)
        training = self.fan_out.training
        d_branches, d_largest, d_average = self._spread(kept, around, sums)
        d_kernels: list[Tensor | None] = [None] * len(kernels)
        d_convolved = list(d_branches)  # Finally those of the first convolutions.
        zs = kept.convolved[: len(self.double)]
        d_inner = []
        # The normalised values are recomputed, and only if a kernel needs a gradient.
        inner: Sequence[Tensor] = zs
        seconds = range(len(self.branches), len(self.fans))
        if any(learned[i] for i in seconds):
            inner = normalise_branches(zs, self.start, kept.statistics, relu=True)
        for i, d_z, x in zip(seconds, d_branches, inner, strict=False):
            wanted = (True, learned[i])
            d_x, d_kernels[i] = self.convolutions[i].backward(d_z, x, kernels[i], wanted)
            assert d_x is not None
            d_inner.append(d_x)
        if d_inner:
            d_convolved[: len(self.double)] = normalise_branches_backward(
                d_inner, zs, self.start, kept.statistics, relu=True, training=training
            )
        d_active = []
        for i, d_z in enumerate(d_convolved):
            wanted = (d_state is not None, learned[i])
            d_x, d_kernels[i] = self.convolutions[i].backward(
                d_z, kept.pooled.active, kernels[i], wanted
            )
            if d_x is not None:
                d_active.append(d_x)
        if d_state is not None:
            self._gather(d_active, d_largest, d_average, state, kept, around, d_state)
        return d_kernels

    def _prepare(self, state: Tensor, around: Surroundings) -> Pooled:
        """ReLU and both pools of the processed channels."""
        batch, size, pooling = state.shape[0], around.nodes.shape[2:], self._pooling()

        def room(size: torch.Size, dtype: torch.dtype, wanted: bool) -> Tensor:
            return torch.empty(
                (batch if wanted else 0, self.channels, *size),
                dtype=dtype,
                device=state.device,
                memory_format=torch.channels_last,
            )

        pooled = Pooled(
            room(state.shape[2:], state.dtype, bool(self.branches)),
            room(size, state.dtype, pooling["MAX"]),
            room(size, torch.int8, pooling["MAX"]),
            room(size, state.dtype, pooling["AVERAGE"]),
        )
        if not (self.branches or self.pools):
            return pooled
        lanes, rows = lanes_of(self.channels), pixels(around.nodes)
        portion = rows_of(lanes)
        forward_kernels.prepare_kernel[(triton.cdiv(rows, portion),)](
            state,
            around.order,
            *pooled,
            rows,
            *size,
            *state.shape[2:],
            self._pitch(around),
            CHANNELS=self.channels,
            LANES=lanes,
            STRIDE=self.fan_out.stride,
            RELU=bool(self.branches),
            **pooling,
            ROWS=portion,
            num_warps=WARPS,
            REAL=real(state.dtype)[1],
        )
        return pooled

    def _sum(self, state: Tensor, kept: Kept, around: Surroundings, sums: Tensor) -> None:
        rows = pixels(around.nodes)
        portion = max(1, rows_of(self._widest(around)) // 2)  # With all of them, registers spill.
        blocks = blocks_of(rows, portion)
        parts = torch.empty((blocks, *sums.shape), dtype=sums.dtype, device=sums.device)
        backward_kernels.sums_kernel[(blocks * self.edges,)](
            *self._mixed(kept),
            state,
            kept.statistics,
            self._ends(around),
            around.order,
            around.place,
            parts,
            rows,
            blocks,
            *self._sizes(state, around),
            self.table,
            **self._channels(around),
            **self._mixing(),
            **self._passing(around),
            SLOTS=triton.next_power_of_2(self.slots),
            ROWS=portion,
        )
        torch.sum(parts, 0, out=sums)

    def _spread(
        self, kept: Kept, around: Surroundings, sums: Tensor
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Gradients before the batch norms: of the last convolutions and of both pools."""
        branches, pools = self._mixed(kept)
        d_branches = [torch.empty_like(z) for z in branches]
        d_pools = [torch.empty_like(z) for z in pools]
        rows, lanes = pixels(around.nodes), lanes_of(self.channels)
        portion = rows_of(lanes)
        backward_kernels.spread_kernel[(triton.cdiv(rows, portion) * (self.edges + 1),)](
            branches,
            pools,
            tuple(d_branches),
            tuple(d_pools),
            kept.statistics,
            self._ends(around),
            around.mixture,
            around.place,
            sums,
            rows,
            around.nodes.shape[1],
            self.edges,
            self.table,
            **self._channels(around),
            **self._mixing(),
            TRAINING=self.fan_out.training,
            ROWS=portion,
        )
        found = dict(zip(self.pools, d_pools, strict=True))
        pooled = kept.pooled
        return d_branches, found.get("max", pooled.largest), found.get("avg", pooled.average)

    def _gather(
        self,
        d_active: Sequence[Tensor],
        d_largest: Tensor,
        d_average: Tensor,
        state: Tensor,
        kept: Kept,
        around: Surroundings,
        d_state: Tensor,
    ) -> None:
        rows = pixels(state)
        portion = rows_of(self._widest(around))
        backward_kernels.gather_kernel[(triton.cdiv(rows, portion),)](
            tuple(d_active),
            d_largest,
            d_average,
            kept.pooled.tap_of_largest,
            kept.pooled.active,
            state,
            self._ends(around),
            around.mixture,
            around.passing,
            around.order,
            around.place,
            d_state,
            rows,
            *self._sizes(state, around),
            **self._channels(around),
            **self._passing(around),
            **self._pooling(),
            CONVOLUTIONS=len(d_active),
            ASSIGN=self.is_input,
            ROWS=portion,
            num_warps=WARPS,
        )

    def _mixed(self, kept: Kept) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Branches and pools before their last batch norms."""
        return tuple(kept.convolved[i] for i in self.last), self._of_pools(kept.pooled)

    def _of_pools(self, pooled: Pooled) -> tuple[Tensor, ...]:
        found = {"max": pooled.largest, "avg": pooled.average}
        return tuple(found[kind] for kind in self.pools)

    def _widest(self, around: Surroundings) -> int:
        others = len(around.order) - self.channels
        return lanes_of(max(self.channels, others))

    # Arguments that kernels share. Names in capitals are compile-time constants.

    def _sizes(self, state: Tensor, around: Surroundings) -> tuple[int, ...]:
        """The kernel arguments from `height` to `edges`."""
        nodes = around.nodes
        pitches = (self._pitch(around), nodes.shape[1])
        return (*nodes.shape[2:], *state.shape[2:], *pitches, self.edges)

    def _channels(self, around: Surroundings) -> dict[str, Any]:
        return {
            "STATE_CHANNELS": len(around.order),
            "CHANNELS": self.channels,
            "LANES": lanes_of(self.channels),
            "OPERATIONS": len(self.fan_out.columns),
            "REAL": real(around.nodes.dtype)[1],
        }

    def _mixing(self) -> dict[str, Any]:
        """Constants of kernels that read branches and pools before their batch norms."""
        columns = self.fan_out.columns
        return {
            "BRANCHES": len(self.branches),
            "POOLS": len(self.pools),
            "BRANCH_COLUMNS": tuple(branch.column for branch in self.branches),
            "POOL_COLUMNS": tuple(columns[name] for name in self.pools.values()),
            "LAST": tuple(self.last),
        }

    def _passing(self, around: Surroundings) -> dict[str, Any]:
        """Constants of kernels that read the bypassed channels and the identity."""
        others = len(around.order) - self.channels
        return {
            "OTHER_LANES": lanes_of(max(others, 1)),
            "STRIDE": self.fan_out.stride,
            "IDENTITY": self.identity,
        }

    def _pooling(self) -> dict[str, bool]:
        kinds = list(self.pools)
        return {"MAX": "max" in kinds, "AVERAGE": "avg" in kinds}

    def _ends(self, around: Surroundings) -> Tensor:
        """The part of the nodes where the edges end."""
        channels = len(around.order)
        return around.nodes.narrow(1, self.first * channels, self.edges * channels)

    def _pitch(self, around: Surroundings) -> int:
        """Distance between neighbouring pixels of the state; inner nodes share one tensor."""
        return len(around.order) if self.is_input else around.nodes.shape[1]
