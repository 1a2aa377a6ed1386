"""The inside of a search cell, from its two preprocessed inputs to its output, natively.

One autograd function a cell. State by state, a kernel evaluates the candidates on all edges that
leave the state and adds the results to the states where the edges end, which lie in the cell's
output. An operation that the kernels do not know runs in PyTorch and is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops import fan_out as fused
from ops.mixed_norm import WeightedNorm
from ops.native.kernels import (
    SLACK,
    Branch,
    FanOut,
    Kind,
    Lanes,
    addresses,
    run_fan_out,
)

INPUTS = 2


@dataclass(frozen=True)
class Candidate:
    """One operation on all edges that leave a state, as the kernels see it."""

    kind: Kind
    column: int
    kernel: int
    weights: tuple[Tensor, ...]
    norms: tuple[WeightedNorm, ...]


@dataclass(frozen=True)
class Source:
    """A state with the edges that leave it.

    rows: The edges' rows in alpha and beta.
    targets: The inner nodes where they end, counted from 0.
    order: `[C]`, the channels of the state, the processed ones first.
    place: `[C]`, where these stand in a node.
    """

    fan_out: fused.FanOut
    rows: Sequence[int]
    targets: Sequence[int]
    order: Tensor
    place: Tensor


def run_cell(
    sources: Sequence[Source], inputs: Sequence[Tensor], operations: Tensor, edges: Tensor | None
) -> Tensor:
    """The states of all inner nodes, `[B, nodes·C, H', W']`.

    Args:
        inputs: Both preprocessed inputs, `[B, C, H, W]`, channels_last.
        operations, edges: The weights `[E, O]` and `[E]` of the architecture.
    """
    mixture = operations if edges is None else operations * edges.unsqueeze(1)
    passing = edges if edges is not None else operations.new_ones(len(operations))
    call = _Call(sources)
    result: Tensor = _Cell.apply(call, mixture, passing, *inputs, *call.parameters)
    return result


def candidates(fan_out: fused.FanOut) -> list[Candidate]:
    """The operations of a fan-out that the kernels know."""
    found = []
    for name, pool in fan_out.shared.items():
        assert isinstance(pool, fused.SharedPool)
        kind = Kind.MAX_POOL if pool.kind == "max" else Kind.AVG_POOL
        found.append(Candidate(kind, fan_out.columns[name], 3, (), (pool.norm,)))
    if fan_out.identity:
        found.append(Candidate(Kind.IDENTITY, fan_out.columns["skip_connect"], 1, (), ()))
    for name, branch in fan_out.rectified.items():
        column = fan_out.columns[name]
        if isinstance(branch, fused.FactorizedReduceFan):
            weights = (branch.conv1.weight, branch.conv2.weight)
            found.append(Candidate(Kind.REDUCE, column, 1, weights, (branch.norm,)))
        elif isinstance(branch, fused.SeparableConvFan):
            weights = (*_kernels(branch.first), *_kernels(branch.second))
            norms = (branch.norm1, branch.norm2)
            size = branch.first.depthwise.kernel_size[0]
            found.append(Candidate(Kind.SEPARABLE, column, size, weights, norms))
        else:
            assert isinstance(branch, fused.DilatedConvFan)
            size = branch.conv.depthwise.kernel_size[0]
            found.append(
                Candidate(Kind.DILATED, column, size, _kernels(branch.conv), (branch.norm,))
            )
    return found


def _kernels(fan: fused.SeparableFan) -> tuple[Tensor, Tensor]:
    return fan.depthwise.weight, fan.pointwise.weight


class _Call:
    """One evaluation of a cell: what it reads besides the inputs, and the parameters in order."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.candidates = [candidates(source.fan_out) for source in sources]
        self.known = [[w for one in found for w in one.weights] for found in self.candidates]
        self.foreign = [list(source.fan_out.separate.parameters()) for source in sources]
        self.parameters = [p for group in (*self.known, *self.foreign) for p in group]
        self.nodes = 1 + max(node for source in sources for node in source.targets)
        self.training = any(source.fan_out.training for source in sources)

    def states(self, inputs: Sequence[Tensor], nodes: Tensor) -> list[Tensor]:
        """The states that edges leave: both inputs, and nodes as views of `[B, nodes·C, …]`."""
        return [*inputs, *nodes.chunk(self.nodes, dim=1)][: len(self.sources)]

    def describe(
        self, index: int, state: Tensor, nodes: Tensor, z: Tensor, norms: Tensor
    ) -> tuple[FanOut, Any]:
        """The structure for a source, and its branches, without architecture and gradients."""
        source, found = self.sources[index], self.candidates[index]
        fan_out, lanes = source.fan_out, source.fan_out.lanes
        batch, channels, height, width = state.shape
        branches = (Branch * len(found))()
        z_at, norm_at = z.data_ptr(), norms.data_ptr()
        for branch, candidate in zip(branches, found, strict=True):
            branch.kind, branch.column = candidate.kind, candidate.column
            branch.kernel = candidate.kernel
            for slot, _ in enumerate(candidate.norms):
                branch.z[slot], branch.norm[slot] = z_at, norm_at
                z_at += z.element_size() * _numbers(candidate, lanes, nodes)
                norm_at += norms.element_size() * 2 * lanes.total
        norm = next((one.norms[0] for one in found if one.norms), None)
        places = nodes.chunk(self.nodes, dim=1)
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
            state_pitch=channels if index < INPUTS else nodes.shape[1],
            target_pitch=nodes.shape[1],
            columns=len(fan_out.columns),
            branches=len(found),
            training=self.training,
            threads=torch.get_num_threads(),
            eps=norm.eps if norm else 0.0,
            momentum=norm.momentum if norm else 0.0,
            branch=branches,
            order=source.order.data_ptr(),
            place=source.place.data_ptr(),
            state=state.data_ptr(),
            target=addresses([places[node] for node in source.targets], len(source.targets)),
        )
        return call, branches

    def give_weights(self, index: int, branches: Any) -> list[Tensor]:
        """Points the branches at their weights; the result must live as long as they are read."""
        kept = [weight.contiguous() for weight in self.known[index]]
        weights = iter(kept)
        for branch, candidate in zip(branches, self.candidates[index], strict=True):
            branch.weight = addresses([next(weights) for _ in candidate.weights], 4)
        return kept

    def workspace(self, index: int, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Room for what the backward pass needs: z before each norm, and the norms' statistics."""
        lanes = self.sources[index].fan_out.lanes
        found = self.candidates[index]
        z = sum(_numbers(one, lanes, nodes) * len(one.norms) for one in found)
        norms = sum(2 * lanes.total * len(one.norms) for one in found)
        # Lanes without a channel have no statistics: zeros keep them out of everything.
        return nodes.new_empty(z + SLACK), nodes.new_zeros(norms + SLACK)


def _numbers(candidate: Candidate, lanes: Lanes, nodes: Tensor) -> int:
    """Size of z of one convolution or pool."""
    pixels = nodes.shape[0] * nodes.shape[2] * nodes.shape[3]
    pools = candidate.kind in (Kind.MAX_POOL, Kind.AVG_POOL)
    return pixels * (lanes.group if pools else lanes.total)


class _Foreign:
    """The operations of a source that the kernels do not know: PyTorch, with their own graph."""

    def __init__(self, source: Source, state: Tensor, mixture: Tensor) -> None:
        fan_out, self.source = source.fan_out, source
        self.parameters = [p for p in fan_out.separate.parameters() if p.requires_grad]
        with torch.enable_grad():
            self.x = state.detach()[:, source.order[: fan_out.channels]].requires_grad_()
            self.mixture = mixture.clone().requires_grad_()
            self.mixed = torch.stack(fan_out.mix_separate(self.x, self.mixture))

    def _places(self) -> Tensor:
        """Channels of the processed part in the nodes, `[E·C/K]`."""
        channels = len(self.source.place)
        first = channels * torch.tensor(self.source.targets).unsqueeze(1)
        return (first + self.source.place[: self.source.fan_out.channels]).flatten()

    def add(self, nodes: Tensor) -> None:
        mixed = self.mixed.detach().transpose(0, 1).flatten(1, 2)
        nodes[:, self._places()] += mixed

    def backward(self, completed: Tensor, d_state: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Adds to the state's gradient; returns those of the mixture and of the parameters."""
        gradient = completed[:, self._places()]
        gradient = gradient.unflatten(1, (-1, self.source.fan_out.channels)).transpose(0, 1)
        unknowns = [self.x, self.mixture, *self.parameters]
        d_x, d_mixture, *gradients = torch.autograd.grad(self.mixed, unknowns, gradient)
        if d_state is not None:
            d_state[:, self.source.order[: d_x.shape[1]]] += d_x
        return d_mixture, gradients


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cell: _Call, mixture: Tensor, passing: Tensor, *tensors: Tensor
    ) -> Tensor:
        inputs, parameters = tensors[:INPUTS], tensors[INPUTS:]
        stride = cell.sources[0].fan_out.stride
        batch, channels, height, width = inputs[0].shape
        nodes = torch.empty(
            (batch, cell.nodes * channels, height // stride, width // stride),
            dtype=inputs[0].dtype,
            memory_format=torch.channels_last,
        )
        saved = []
        ctx.foreign = {}
        for index, state in enumerate(cell.states(inputs, nodes)):
            source = cell.sources[index]
            z, norms = cell.workspace(index, nodes)
            rows, passed = mixture[source.rows], passing[source.rows]
            call, branches = cell.describe(index, state, nodes, z, norms)
            kept = cell.give_weights(index, branches)
            for branch, candidate in zip(branches, cell.candidates[index], strict=True):
                running = [(norm.running_mean, norm.running_var) for norm in candidate.norms]
                branch.running = addresses([one for pair in running for one in pair], 4)
            call.mixture, call.passing = rows.data_ptr(), passed.data_ptr()
            call.assign = index == 0
            run_fan_out(call, source.fan_out.lanes, nodes.dtype, backward=False)
            del kept
            if len(source.fan_out.separate):
                ctx.foreign[index] = _Foreign(source, state, rows)
                ctx.foreign[index].add(nodes)
            saved += [z, norms, rows, passed]
        ctx.cell = cell
        # Parameters are read again from the modules; here they are watched for changes.
        ctx.save_for_backward(*inputs, nodes, *saved, *parameters)
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        cell: _Call = ctx.cell
        saved = list(ctx.saved_tensors)
        inputs, nodes, saved = saved[:INPUTS], saved[INPUTS], saved[INPUTS + 1 :]
        wanted = ctx.needs_input_grad[3 : 3 + INPUTS]
        # The gradients of the nodes are completed here, from the last node to the first.
        completed = torch.empty_like(nodes).copy_(gradient)
        d_inputs = [torch.zeros_like(x) if w else None for x, w in zip(inputs, wanted, strict=True)]
        d_states = [*d_inputs, *completed.chunk(cell.nodes, dim=1)]
        edges = sum(len(source.rows) for source in cell.sources)
        d_mixture = nodes.new_empty(edges, len(cell.sources[0].fan_out.columns))
        d_passing = nodes.new_empty(edges)
        known: list[list[Tensor | None]] = [[] for _ in cell.sources]
        foreign: list[list[Tensor | None]] = [[] for _ in cell.sources]
        states = cell.states(inputs, nodes)
        for index in reversed(range(len(states))):
            source, d_state = cell.sources[index], d_states[index]
            z, norms, rows, passed = saved[4 * index : 4 * index + 4]
            call, branches = cell.describe(index, states[index], completed, z, norms)
            kept = cell.give_weights(index, branches)
            known[index] = [
                torch.empty_like(w, memory_format=torch.contiguous_format)
                if w.requires_grad
                else None
                for w in cell.known[index]
            ]
            gradients = iter(known[index])
            for branch, candidate in zip(branches, cell.candidates[index], strict=True):
                branch.gradient = addresses([next(gradients) for _ in candidate.weights], 4)
            d_rows, d_passed = torch.empty_like(rows), torch.empty_like(passed)
            call.mixture, call.passing = rows.data_ptr(), passed.data_ptr()
            call.d_mixture, call.d_passing = d_rows.data_ptr(), d_passed.data_ptr()
            call.d_state = None if d_state is None else d_state.data_ptr()
            run_fan_out(call, source.fan_out.lanes, nodes.dtype, backward=True)
            del kept
            if index in ctx.foreign:
                d_foreign, of_parameters = ctx.foreign[index].backward(completed, d_state)
                d_rows += d_foreign
                learned = iter(of_parameters)
                foreign[index] = [
                    next(learned) if p.requires_grad else None for p in cell.foreign[index]
                ]
            d_mixture[source.rows], d_passing[source.rows] = d_rows, d_passed
        parameters = [one for group in (*known, *foreign) for one in group]
        return None, d_mixture, d_passing, *d_inputs, *parameters
