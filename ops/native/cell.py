"""The inside of a search cell, from its two preprocessed inputs to its output, natively.

One autograd function a cell. State by state, a kernel evaluates the candidates on all edges that
leave the state and adds the results to the states where the edges end, which lie in the cell's
output. An operation that the kernels do not know runs in PyTorch and is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ops.fused import fan_out as fused
from ops.fused.mixed_norm import WeightedNorm
from ops.native.kernels import (
    SLACK,
    Branch,
    FanOut,
    Kind,
    Lanes,
    addresses,
    run_fan_out,
)

INPUTS = 2  # of a cell
_NO_NORM = WeightedNorm(1)


@dataclass(frozen=True)
class Candidate:
    """One operation on all edges that leave a state, as the kernels see it."""

    kind: Kind
    column: int
    kernel: int = 1
    convolutions: tuple[nn.Conv2d, ...] = ()
    norms: tuple[WeightedNorm, ...] = ()


class Source:
    """A state with the edges that leave it.

    Args:
        fan_out: The edges' operations.
        rows: The edges' rows in alpha and beta.
        targets: The inner nodes where they end, counted from 0.
    """

    def __init__(self, fan_out: fused.FanOut, rows: Sequence[int], targets: Sequence[int]) -> None:
        self.fan_out, self.rows, self.targets = fan_out, list(rows), list(targets)
        self.lanes = fan_out.lanes
        self.candidates = candidates(fan_out)
        self.norms = [norm for one in self.candidates for norm in one.norms]

    def weights(self) -> list[Tensor]:
        """The kernels of all candidates as they are now; functional calls replace them."""
        return [conv.weight for one in self.candidates for conv in one.convolutions]


class Channels(NamedTuple):
    """Of each source: the order in which its channels are read, and where they stand in a node.

    Shapes: both `[sources, C]`, int64 on the CPU; the first C/K channels are the processed ones.
    """

    order: Tensor
    place: Tensor


def candidates(fan_out: fused.FanOut) -> list[Candidate]:
    """The operations of a fan-out that the kernels know."""
    found = []
    for name, pool in fan_out.shared.items():
        assert isinstance(pool, fused.SharedPool)
        kind = Kind.MAX_POOL if pool.kind == "max" else Kind.AVG_POOL
        found.append(Candidate(kind, fan_out.columns[name], norms=(pool.norm,)))
    if fan_out.identity:
        found.append(Candidate(Kind.IDENTITY, fan_out.columns["skip_connect"]))
    for name, branch in fan_out.rectified.items():
        column = fan_out.columns[name]
        if isinstance(branch, fused.FactorizedReduceFan):
            convolutions: tuple[nn.Conv2d, ...] = (branch.conv1, branch.conv2)
            found.append(Candidate(Kind.REDUCE, column, 1, convolutions, (branch.norm,)))
        elif isinstance(branch, fused.SeparableConvFan):
            first, second = branch.first, branch.second
            size = first.depthwise.kernel_size[0]
            convolutions = (first.depthwise, first.pointwise, second.depthwise, second.pointwise)
            norms = (branch.norm1, branch.norm2)
            found.append(Candidate(Kind.SEPARABLE, column, size, convolutions, norms))
        else:
            assert isinstance(branch, fused.DilatedConvFan)
            convolutions = (branch.conv.depthwise, branch.conv.pointwise)
            size = branch.conv.depthwise.kernel_size[0]
            found.append(Candidate(Kind.DILATED, column, size, convolutions, (branch.norm,)))
    return found


def run_cell(
    sources: Sequence[Source],
    inputs: Sequence[Tensor],
    channels: Channels,
    mixture: Tensor,
    passing: Tensor,
) -> tuple[Tensor, ...]:
    """The states of all inner nodes, `[B, C, H', W']` each, channels_last.

    Args:
        inputs: Both preprocessed inputs, `[B, C, H, W]`, channels_last.
        mixture, passing: Weights of the operations `[E, O]` and of the bypassed channels `[E]`,
            source by source.
    """
    call = _Call(sources, channels)
    nodes: tuple[Tensor, ...] = _Cell.apply(call, mixture, passing, *inputs, *call.parameters)
    return nodes


class _Call:
    """One evaluation of a cell: what it reads besides the inputs, and the parameters in order."""

    def __init__(self, sources: Sequence[Source], channels: Channels) -> None:
        self.sources, self.channels = sources, channels
        self.known = [source.weights() for source in sources]
        self.foreign: list[list[Tensor]] = [
            list(source.fan_out.separate.parameters()) if len(source.fan_out.separate) else []
            for source in sources
        ]
        self.parameters = [p for group in (*self.known, *self.foreign) for p in group]
        self.nodes = 1 + max(node for source in sources for node in source.targets)
        self.training = sources[0].fan_out.training
        self.edges = [len(source.targets) for source in sources]

    def states(self, inputs: Sequence[Tensor], nodes: Sequence[Tensor]) -> list[Tensor]:
        """The states that edges leave."""
        return [*inputs, *nodes][: len(self.sources)]

    def describe(
        self, index: int, state: Tensor, nodes: Sequence[Tensor], z: Tensor, norms: Tensor
    ) -> tuple[FanOut, Any]:
        """The structure for a source, and its branches, without architecture and gradients.

        Its targets are among `nodes`: the states, or their gradients. What its pointers point at
        must outlive the call: `nodes`, `z`, `norms`, `self`.
        """
        source = self.sources[index]
        fan_out, lanes = source.fan_out, source.lanes
        batch, channels, height, width = state.shape
        pixels, size = nodes[0].numel() // channels, state.element_size()
        branches = (Branch * len(source.candidates))()
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
        call = FanOut(
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
        """Room for what the backward pass needs: x and each norm's z; the norms' statistics."""
        source = self.sources[index]
        x = len(state) * state.shape[2] * state.shape[3] * source.lanes.group
        z = sum(_numbers(one, source.lanes) * len(one.norms) for one in source.candidates)
        # Lanes without a channel have no statistics: zeros keep them out of everything.
        norms = 2 * source.lanes.total * len(source.norms)
        return state.new_empty(x + pixels * z + SLACK), state.new_zeros(norms + SLACK)


def _numbers(candidate: Candidate, lanes: Lanes) -> int:
    """Numbers a pixel of z of one convolution or pool."""
    pools = candidate.kind in (Kind.MAX_POOL, Kind.AVG_POOL)
    return lanes.group if pools else lanes.total


class _Foreign:
    """The operations of a source that the kernels do not know: PyTorch, with their own graph."""

    def __init__(
        self, source: Source, state: Tensor, mixture: Tensor, channels: Channels, index: int
    ) -> None:
        fan_out, count = source.fan_out, source.fan_out.channels
        self.read, self.place = channels.order[index, :count], channels.place[index, :count]
        self.targets = source.targets
        self.parameters = [p for p in fan_out.separate.parameters() if p.requires_grad]
        with torch.enable_grad():
            self.x = state.detach()[:, self.read].requires_grad_()
            self.mixture = mixture.clone().requires_grad_()
            self.mixed = torch.stack(fan_out.mix_separate(self.x, self.mixture))

    def add(self, nodes: Sequence[Tensor]) -> None:
        for node, mixed in zip(self.targets, self.mixed.detach(), strict=True):
            nodes[node][:, self.place] += mixed

    def backward(
        self, completed: Sequence[Tensor], d_state: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Adds to the state's gradient; returns those of the mixture and of the parameters."""
        gradient = torch.stack([completed[node][:, self.place] for node in self.targets])
        unknowns = [self.x, self.mixture, *self.parameters]
        d_x, d_mixture, *gradients = torch.autograd.grad(self.mixed, unknowns, gradient)
        if d_state is not None:
            d_state[:, self.read] += d_x
        return d_mixture, gradients


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cell: _Call, mixture: Tensor, passing: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        inputs, parameters = tensors[:INPUTS], tensors[INPUTS:]
        stride = cell.sources[0].fan_out.stride
        batch, channels, height, width = inputs[0].shape
        size = batch, channels, height // stride, width // stride
        dtype, layout = inputs[0].dtype, torch.channels_last
        nodes = [torch.empty(size, dtype=dtype, memory_format=layout) for _ in range(cell.nodes)]
        saved = []
        ctx.foreign = {}
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
            if len(source.fan_out.separate):
                ctx.foreign[index] = _Foreign(source, state, rows, cell.channels, index)
                ctx.foreign[index].add(nodes)
            saved += [z, norms]
        ctx.cell = cell
        # The call holds the parameters; here they are watched for changes in place.
        ctx.save_for_backward(mixture, passing, *inputs, *nodes, *saved, *parameters)
        return tuple(nodes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cell: _Call = ctx.cell
        mixture, passing, *saved = ctx.saved_tensors
        inputs, saved = saved[:INPUTS], saved[INPUTS:]
        nodes, saved = saved[: cell.nodes], saved[cell.nodes :]
        wanted = ctx.needs_input_grad[3 : 3 + INPUTS]
        learns = zip(cell.parameters, ctx.needs_input_grad[3 + INPUTS :], strict=True)
        learned = {id(parameter) for parameter, needed in learns if needed}
        # From the last node to the first, what came from outside becomes the whole gradient.
        given = [one.contiguous(memory_format=torch.channels_last) for one in gradients]
        d_inputs = [torch.empty_like(x) if w else None for x, w in zip(inputs, wanted, strict=True)]
        leaving = [torch.empty_like(one) for one in given[: len(cell.sources) - INPUTS]]
        completed = [*leaving, *given[len(leaving) :]]
        bases, d_states = [None, None, *given], [*d_inputs, *leaving]
        weights = [one.contiguous() for one in (mixture, passing)]
        d_mixture, d_passing = (torch.empty_like(one) for one in weights)
        of_sources = [list(one.split(cell.edges)) for one in (*weights, d_mixture, d_passing)]
        known: list[list[Tensor | None]] = [[] for _ in cell.sources]
        foreign: list[list[Tensor | None]] = [[] for _ in cell.sources]
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
            if index in ctx.foreign:
                d_foreign, of_parameters = ctx.foreign[index].backward(completed, d_state)
                d_rows += d_foreign
                found = iter(of_parameters)
                foreign[index] = [
                    next(found) if id(parameter) in learned else None
                    for parameter in cell.foreign[index]
                ]
        parameters = [one for group in (*known, *foreign) for one in group]
        return None, d_mixture, d_passing, *d_inputs, *parameters
