"""The native evaluation of a search cell, from its two preprocessed inputs to its nodes.

One autograd function evaluates a cell. For each state, a kernel evaluates the candidates on all
edges that leave the state and adds the results to the nodes where the edges end. Operations without
a kernel run in PyTorch, and their results are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops.fused.mixed_norm import WeightedNorm
from ops.fused.slices import put_edges, take_edges
from ops.fused.unfused import BesideKernels
from ops.native.kernels import (
    SLACK,
    BranchCall,
    FanOutCall,
    Kind,
    Lanes,
    addresses,
    run_fan_out,
)
from ops.native.source import NativeCandidate, NativeSource

_NO_NORM = WeightedNorm(1)


class ChannelOrder(NamedTuple):
    """The order in which the channels of each source are read, and their positions in a node.

    Shapes: both `[sources, C]`, int64 on the CPU; the first C/K channels are processed.
    """

    order: Tensor
    place: Tensor


def run_native_cell(
    sources: Sequence[NativeSource],
    inputs: Sequence[Tensor],
    channels: ChannelOrder,
    mixture: Tensor,
    passing: Tensor,
) -> tuple[Tensor, ...]:
    """Compute all inner nodes, each `[B, C, H', W']` and channels_last.

    Args:
        sources: The calls of all states with edges, in the order of the states.
        inputs: Both preprocessed inputs `[B, C, H, W]`, channels_last.
        channels: The order of the channels.
        mixture: Weights of the operations `[E, O]`, ordered by source.
        passing: Weights of the bypassed channels `[E]`, ordered by source.
    """
    call = _Call(sources, channels, len(inputs))
    nodes: tuple[Tensor, ...] = _Cell.apply(call, mixture, passing, *inputs, *call.parameters)
    return nodes


class _Call:
    """One evaluation of a cell: its sources, the order of channels, and all parameters.

    Attributes:
        places: For each source the positions of its edges among all edges, ordered by state.
        whole: Whether each state has one source only, which then initialises or completes it.
        first: For each state its first source, whose workspace holds the processed channels.
    """

    def __init__(
        self, sources: Sequence[NativeSource], channels: ChannelOrder, inputs: int
    ) -> None:
        self.sources, self.channels, self.inputs = sources, channels, inputs
        self.known = [source.weights() for source in sources]
        self.beside = [source.beside_parameters() for source in sources]
        self.parameters = [p for group in (*self.known, *self.beside) for p in group]
        self.nodes = 1 + max(node for source in sources for node in source.targets)
        self.training = sources[0].fan_out.training
        fan_outs = {source.state: source.fan_out for source in sources}
        starts, total = {}, 0
        for state, fan_out in fan_outs.items():
            starts[state] = total
            total += fan_out.edges
        self.places = [
            tuple(starts[source.state] + edge for edge in source.edges) for source in sources
        ]
        self.whole = len(fan_outs) == len(sources)
        self.first = {source.state: index for index, source in reversed(list(enumerate(sources)))}

    def part(self, table: Tensor, index: int) -> Tensor:
        """The rows of a source in a table `[E, …]`, contiguous."""
        return take_edges(table, len(table), self.places[index])

    def describe(
        self, index: int, state: Tensor, nodes: Sequence[Tensor], saved: Sequence[Tensor]
    ) -> tuple[FanOutCall, Any]:
        """The argument structure of a source and its branches, without weights and gradients.

        `nodes` are the nodes or, in the backward pass, their gradients. `saved` are the workspaces
        of all sources up to this one. The structure points into `nodes`, `saved` and `self`, which
        must outlive the call.
        """
        source = self.sources[index]
        state_index, fan_out, lanes = source.state, source.fan_out, source.lanes
        batch, channels, height, width = state.shape
        pixels, size = nodes[0].numel() // channels, state.element_size()
        branches = (BranchCall * len(source.candidates))()
        first = self.first[source.state]
        x_at, z_at, norm_at = (saved[at].data_ptr() for at in (2 * first, 2 * index, 2 * index + 1))
        if first == index:
            z_at += size * batch * height * width * lanes.group
        weights = iter(self.known[index])
        for branch, candidate in zip(branches, source.candidates, strict=True):
            branch.kind, branch.column = candidate.kind, candidate.column
            branch.kernel = candidate.kernel
            branch.weight = addresses([next(weights) for _ in candidate.convolutions], 4)
            for slot, _ in enumerate(candidate.norms):
                branch.z[slot], branch.norm[slot] = z_at, norm_at
                z_at += size * pixels * _numbers(candidate, lanes)
                norm_at += size * 2 * lanes.total
        norm = source.norms[0] if source.norms else _NO_NORM
        call = FanOutCall(
            batch=batch,
            height=height,
            width=width,
            channels=channels,
            stride=fan_out.stride,
            lane_channels=lanes.channels,
            lane_edges=lanes.edges,
            lane_group=lanes.group,
            lane_block=lanes.block,
            lane_blocks=lanes.blocks,
            columns=len(fan_out.columns),
            branches=len(branches),
            training=self.training,
            threads=torch.get_num_threads(),
            eps=norm.eps,
            momentum=norm.momentum,
            branch=branches,
            order=self.channels.order[state_index].data_ptr(),
            place=self.channels.place[state_index].data_ptr(),
            state=state.data_ptr(),
            x=x_at,
            target=addresses(nodes[node] for node in source.targets),
        )
        return call, branches

    def workspace(self, index: int, state: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """Buffers for the backward pass: x and z of each batch norm; statistics of batch norms."""
        source = self.sources[index]
        x, first = 0, self.first[source.state]
        assert source.lanes.group == self.sources[first].lanes.group
        if first == index:
            x = len(state) * state.shape[2] * state.shape[3] * source.lanes.group
        z = sum(_numbers(one, source.lanes) * len(one.norms) for one in source.candidates)
        # Unused lanes have no statistics; zeros keep them without effect.
        norms = 2 * source.lanes.total * len(source.norms)
        return state.new_empty(x + pixels * z + SLACK), state.new_zeros(norms + SLACK)


def _numbers(candidate: NativeCandidate, lanes: Lanes) -> int:
    """Numbers per pixel of z, for one convolution or pool."""
    pools = candidate.kind in (Kind.MAX_POOL, Kind.AVG_POOL)
    return lanes.group if pools else lanes.total


class _Beside:
    """The operations of a source without a kernel, connected to its state and the nodes."""

    def __init__(
        self,
        source: NativeSource,
        state: Tensor,
        mixture: Tensor,
        channels: ChannelOrder,
    ) -> None:
        index, count = source.state, source.fan_out.channels
        self.read, self.place = channels.order[index, :count], channels.place[index, :count]
        self.targets = source.targets
        self.part = BesideKernels(
            source.mix_beside,
            source.beside_parameters(),
            state.detach()[:, self.read],
            mixture,
        )

    def add(self, nodes: Sequence[Tensor]) -> None:
        parts = self.part.mixed.chunk(len(self.targets), dim=1)
        for node, mixed in zip(self.targets, parts, strict=True):
            nodes[node][:, self.place] += mixed

    def backward(
        self, completed: Sequence[Tensor], d_state: Tensor | None
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Add to the state's gradient; return the gradients of mixture and parameters."""
        gradient = torch.cat([completed[node][:, self.place] for node in self.targets], dim=1)
        d_x, d_mixture, gradients = self.part.backward(gradient)
        if d_state is not None:
            d_state[:, self.read] += d_x
        return d_mixture, gradients


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cell: _Call, mixture: Tensor, passing: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        inputs, parameters = tensors[: cell.inputs], tensors[cell.inputs :]
        stride = cell.sources[0].fan_out.stride
        batch, channels, height, width = inputs[0].shape
        size = batch, channels, height // stride, width // stride
        dtype, layout = inputs[0].dtype, torch.channels_last
        nodes = [torch.empty(size, dtype=dtype, memory_format=layout) for _ in range(cell.nodes)]
        if not cell.whole:
            for node in nodes:
                node.zero_()
        saved: list[Tensor] = []
        ctx.beside = {}
        states, tables = (*inputs, *nodes), (mixture.contiguous(), passing.contiguous())
        for index, source in enumerate(cell.sources):
            state, (rows, passed) = states[source.state], (cell.part(one, index) for one in tables)
            saved += cell.workspace(index, state, nodes[0].numel() // channels)
            call, branches = cell.describe(index, state, nodes, saved)
            running = source.running()
            for branch, statistics in zip(branches, running, strict=True):
                branch.running = addresses(statistics, 4)
            call.mixture, call.passing = rows.data_ptr(), passed.data_ptr()
            call.assign = cell.whole and index == 0
            run_fan_out(call, source.lanes, dtype, backward=False)
            if cell.training:
                source.put_running(running)
            if source.beside:
                ctx.beside[index] = _Beside(source, state, rows, cell.channels)
                ctx.beside[index].add(nodes)
        ctx.cell = cell
        # `cell` holds the parameters; saving them lets autograd detect in-place changes.
        ctx.save_for_backward(mixture, passing, *inputs, *nodes, *saved, *parameters)
        return tuple(nodes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cell: _Call = ctx.cell
        mixture, passing, *saved = ctx.saved_tensors
        inputs, saved = saved[: cell.inputs], saved[cell.inputs :]
        nodes, saved = saved[: cell.nodes], saved[cell.nodes :]
        wanted = ctx.needs_input_grad[3 : 3 + cell.inputs]
        learns = zip(cell.parameters, ctx.needs_input_grad[3 + cell.inputs :], strict=True)
        learned = {id(parameter) for parameter, needed in learns if needed}
        # The given gradients become complete from the last node to the first.
        given = [one.contiguous(memory_format=torch.channels_last) for one in gradients]
        d_inputs = [torch.empty_like(x) if w else None for x, w in zip(inputs, wanted, strict=True)]
        last = cell.sources[-1].state
        leaving = [torch.empty_like(one) for one in given[: last + 1 - cell.inputs]]
        completed = [*leaving, *given[len(leaving) :]]
        bases: list[Tensor | None] = [*[None] * cell.inputs, *given]
        d_states, states = [*d_inputs, *leaving], (*inputs, *nodes)
        tables = [one.contiguous() for one in (mixture, passing)]
        d_tables = [torch.empty_like(one) for one in tables]
        known: list[list[Tensor | None]] = [[] for _ in cell.sources]
        beside: list[list[Tensor | None]] = [[] for _ in cell.sources]
        for index, source in reversed(list(enumerate(cell.sources))):
            number = source.state
            state, base, d_state = states[number], bases[number], d_states[number]
            # A further source of the same state adds to what this one writes.
            bases[number] = d_state
            rows, passed = (cell.part(one, index) for one in tables)
            d_rows, d_passed = d_parts = [cell.part(one, index) for one in d_tables]
            call, branches = cell.describe(index, state, completed, saved)
            known[index] = [
                torch.empty_like(weight) if id(weight) in learned else None
                for weight in cell.known[index]
            ]
            left = iter(known[index])
            for branch, candidate in zip(branches, source.candidates, strict=True):
                branch.gradient = addresses([next(left) for _ in candidate.convolutions], 4)
            call.mixture, call.passing = rows.data_ptr(), passed.data_ptr()
            call.d_mixture, call.d_passing = d_rows.data_ptr(), d_passed.data_ptr()
            call.base = None if base is None else base.data_ptr()
            call.d_state = None if d_state is None else d_state.data_ptr()
            run_fan_out(call, source.lanes, state.dtype, backward=True)
            if index in ctx.beside:
                d_beside, found = ctx.beside[index].backward(completed, d_state)
                d_rows += d_beside
                beside[index] = [
                    gradient if id(parameter) in learned else None
                    for parameter, gradient in zip(cell.beside[index], found, strict=True)
                ]
            for whole, part in zip(d_tables, d_parts, strict=True):
                put_edges(whole, len(whole), cell.places[index], part)
        parameters = [one for group in (*known, *beside) for one in group]
        return None, *d_tables, *d_inputs, *parameters
