"""The native evaluation of a search cell, from its two preprocessed inputs to its nodes.

One autograd function evaluates a cell. For each state, a kernel evaluates the candidates on all
edges that leave the state and adds the results to the nodes where the edges end. Operations without
a kernel run in PyTorch, and their results are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.fused import branches as forms
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.unfused import BesideKernels
from ops.native.kernels import (
    SLACK,
    BranchCall,
    FanOutCall,
    Kind,
    Lanes,
    addresses,
    choose_lanes,
    run_fan_out,
)

_NO_NORM = WeightedNorm(1)


@dataclass(frozen=True)
class NativeCandidate:
    """One operation on all edges that leave a state, as the kernels need it.

    Attributes:
        kind: The kind of operation.
        column: Its column in the table of weights.
        kernel: Kernel size of its depthwise convolutions.
        convolutions: Its convolutions in order.
        norms: Its batch norms in order.
    """

    kind: Kind
    column: int
    kernel: int = 1
    convolutions: tuple[nn.Conv2d, ...] = ()
    norms: tuple[WeightedNorm, ...] = ()


class NativeSource:
    """A state with the edges that leave it.

    Args:
        fan_out: The mixed operations of the edges.
        rows: The rows of the edges in alpha and beta.
        targets: The inner nodes where the edges end, numbered from 0.
    """

    def __init__(self, fan_out: FanOut, rows: Sequence[int], targets: Sequence[int]) -> None:
        self.fan_out, self.rows, self.targets = fan_out, list(rows), list(targets)
        self.lanes = choose_lanes(fan_out.channels, fan_out.edges)
        self.candidates, self.beside = candidates(fan_out)
        """The operations that the kernels evaluate, and the names of all others."""
        self.norms = [norm for one in self.candidates for norm in one.norms]

    def weights(self) -> list[Tensor]:
        """The current weights of all convolutions; functional calls may replace them."""
        return [conv.weight for one in self.candidates for conv in one.convolutions]

    def beside_parameters(self) -> list[Tensor]:
        """The current parameters of the operations that run beside the kernels."""
        return [p for name in self.beside for p in self.fan_out.branch(name).parameters()]


class ChannelOrder(NamedTuple):
    """The order in which the channels of each source are read, and their positions in a node.

    Shapes: both `[sources, C]`, int64 on the CPU; the first C/K channels are processed.
    """

    order: Tensor
    place: Tensor


def candidates(fan_out: FanOut) -> tuple[list[NativeCandidate], tuple[str, ...]]:
    """The operations of a fan-out that the kernels can evaluate, and the names of all others."""
    known: list[NativeCandidate] = []
    others = []
    # In the order in which the PyTorch engine adds them.
    for name in (*fan_out.shared, *fan_out.identities, *fan_out.rectified, *fan_out.separate):
        column = fan_out.columns[name]
        if name in fan_out.identities:
            known.append(NativeCandidate(Kind.IDENTITY, column))
        elif candidate := _candidate(fan_out.branch(name), column):
            known.append(candidate)
        else:
            others.append(name)
    return known, tuple(others)


def _candidate(form: nn.Module, column: int) -> NativeCandidate | None:
    if isinstance(form, forms.SharedPool):
        kind = Kind.MAX_POOL if form.kind == "max" else Kind.AVG_POOL
        return NativeCandidate(kind, column, norms=(form.norm,))
    if isinstance(form, forms.FactorizedReduceFan):
        return NativeCandidate(Kind.REDUCE, column, 1, (form.conv1, form.conv2), (form.norm,))
    if isinstance(form, forms.SeparableConvFan):
        first, second = form.first, form.second
        convolutions = (first.depthwise, first.pointwise, second.depthwise, second.pointwise)
        norms = (form.norm1, form.norm2)
        return NativeCandidate(Kind.SEPARABLE, column, first.kernel, convolutions, norms)
    if isinstance(form, forms.DilatedConvFan):
        conv = form.conv
        pair = (conv.depthwise, conv.pointwise)
        return NativeCandidate(Kind.DILATED, column, conv.kernel, pair, (form.norm,))
    return None


def run_native_cell(
    sources: Sequence[NativeSource],
    inputs: Sequence[Tensor],
    channels: ChannelOrder,
    mixture: Tensor,
    passing: Tensor,
) -> tuple[Tensor, ...]:
    """Compute all inner nodes, each `[B, C, H', W']` and channels_last.

    Args:
        sources: The states with edges.
        inputs: Both preprocessed inputs `[B, C, H, W]`, channels_last.
        channels: The order of the channels.
        mixture: Weights of the operations `[E, O]`, ordered by source.
        passing: Weights of the bypassed channels `[E]`, ordered by source.
    """
    call = _Call(sources, channels, len(inputs))
    nodes: tuple[Tensor, ...] = _Cell.apply(call, mixture, passing, *inputs, *call.parameters)
    return nodes


class _Call:
    """One evaluation of a cell: its sources, the order of channels, and all parameters."""

    def __init__(
        self, sources: Sequence[NativeSource], channels: ChannelOrder, inputs: int
    ) -> None:
        self.sources, self.channels, self.inputs = sources, channels, inputs
        self.known = [source.weights() for source in sources]
        self.beside = [source.beside_parameters() for source in sources]
        self.parameters = [p for group in (*self.known, *self.beside) for p in group]
        self.nodes = 1 + max(node for source in sources for node in source.targets)
        self.training = sources[0].fan_out.training
        self.edges = [len(source.targets) for source in sources]

    def states(self, inputs: Sequence[Tensor], nodes: Sequence[Tensor]) -> list[Tensor]:
        """The states that have outgoing edges."""
        return [*inputs, *nodes][: len(self.sources)]

    def describe(
        self, index: int, state: Tensor, nodes: Sequence[Tensor], z: Tensor, norms: Tensor
    ) -> tuple[FanOutCall, Any]:
        """The argument structure of a source and its branches, without weights and gradients.

        `nodes` are the nodes or, in the backward pass, their gradients. The structure points into
        `nodes`, `z`, `norms` and `self`, which must outlive the call.
        """
        source = self.sources[index]
        fan_out, lanes = source.fan_out, source.lanes
        batch, channels, height, width = state.shape
        pixels, size = nodes[0].numel() // channels, state.element_size()
        branches = (BranchCall * len(source.candidates))()
        x_at, norm_at = z.data_ptr(), norms.data_ptr()
        z_at = x_at + size * batch * height * width * lanes.group
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
            order=self.channels.order[index].data_ptr(),
            place=self.channels.place[index].data_ptr(),
            state=state.data_ptr(),
            x=x_at,
            target=addresses(nodes[node] for node in source.targets),
        )
        return call, branches

    def workspace(self, index: int, state: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """Buffers for the backward pass: x and z of each batch norm; statistics of batch norms."""
        source = self.sources[index]
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
        index: int,
    ) -> None:
        fan_out, count = source.fan_out, source.fan_out.channels
        self.read, self.place = channels.order[index, :count], channels.place[index, :count]
        self.targets = source.targets
        self.part = BesideKernels(
            partial(fan_out.mix, source.beside),
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
        saved = []
        ctx.beside = {}
        mixtures, passings = (one.contiguous().split(cell.edges) for one in (mixture, passing))
        for index, state in enumerate(cell.states(inputs, nodes)):
            source, rows, passed = cell.sources[index], mixtures[index], passings[index]
            z, norms = cell.workspace(index, state, nodes[0].numel() // channels)
            call, branches = cell.describe(index, state, nodes, z, norms)
            for branch, candidate in zip(branches, source.candidates, strict=True):
                running = [(norm.running_mean, norm.running_var) for norm in candidate.norms]
                branch.running = addresses([one for pair in running for one in pair], 4)
            call.mixture, call.passing = rows.data_ptr(), passed.data_ptr()
            call.assign = index == 0
            run_fan_out(call, source.lanes, dtype, backward=False)
            if source.beside:
                ctx.beside[index] = _Beside(source, state, rows, cell.channels, index)
                ctx.beside[index].add(nodes)
            saved += [z, norms]
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
        leaving = [torch.empty_like(one) for one in given[: len(cell.sources) - cell.inputs]]
        completed = [*leaving, *given[len(leaving) :]]
        bases, d_states = [*[None] * cell.inputs, *given], [*d_inputs, *leaving]
        weights = [one.contiguous() for one in (mixture, passing)]
        d_mixture, d_passing = (torch.empty_like(one) for one in weights)
        of_sources = [list(one.split(cell.edges)) for one in (*weights, d_mixture, d_passing)]
        known: list[list[Tensor | None]] = [[] for _ in cell.sources]
        beside: list[list[Tensor | None]] = [[] for _ in cell.sources]
        states = cell.states(inputs, nodes)
        for index in reversed(range(len(states))):
            source, base, d_state = cell.sources[index], bases[index], d_states[index]
            z, norms = saved[2 * index : 2 * index + 2]
            rows, passed, d_rows, d_passed = (one[index] for one in of_sources)
            call, branches = cell.describe(index, states[index], completed, z, norms)
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
            run_fan_out(call, source.lanes, states[index].dtype, backward=True)
            if index in ctx.beside:
                d_beside, found = ctx.beside[index].backward(completed, d_state)
                d_rows += d_beside
                beside[index] = [
                    gradient if id(parameter) in learned else None
                    for parameter, gradient in zip(cell.beside[index], found, strict=True)
                ]
        parameters = [one for group in (*known, *beside) for one in group]
        return None, d_mixture, d_passing, *d_inputs, *parameters
