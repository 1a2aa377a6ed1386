"""The evaluation of a search cell on the GPU, from its two preprocessed inputs to its output.

One autograd function evaluates a cell, one state after the other. The nodes are parts of the output
tensor from the start, so nothing is concatenated. The backward pass completes their gradients in
place from the last to the first, so autograd adds nothing. Operations without a kernel run in
PyTorch, and their results are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops.fused.unfused import BesideKernels
from ops.triton.convolutions import dense_kernels
from ops.triton.norms import real
from ops.triton.parts import Kept, Surroundings
from ops.triton.source import TritonSource


def run_triton_cell(
    sources: Sequence[TritonSource],
    inputs: Sequence[Tensor],
    order: Tensor,
    place: Tensor,
    mixture: Tensor,
    passing: Tensor,
) -> Tensor:
    """Compute all inner nodes, concatenated: `[B, nodes·C, H', W']`.

    Args:
        sources: The states with edges.
        inputs: Both preprocessed inputs `[B, C, H, W]`.
        order: The order in which the channels of each source are read, `[sources, C]`, int64.
        place: Their positions in a node, `[sources, C]`, int64.
        mixture: Weights of the operations `[E, O]`, ordered by source.
        passing: Weights of the edges `[E]`, ordered by source.
    """
    dtype = inputs[0].dtype
    device = inputs[0].device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    kernels = dense_kernels([fan for source in sources for fan in source.fans], dtype)
    inputs = [x.to(dtype).contiguous(memory_format=torch.channels_last) for x in inputs]
    beside = [p for source in sources for p in source.beside_parameters()]
    result: Tensor = _Cell.apply(
        sources, mixture, passing, order, place, *inputs, *kernels, *beside
    )
    return result


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sources: Sequence[TritonSource],
        mixture: Tensor,
        passing: Tensor,
        order: Tensor,
        place: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        first = _inputs(sources)
        inputs, rest = tensors[:first], tensors[first:]
        kernels = _parts(rest, [len(source.fans) for source in sources])
        batch, channels, height, width = inputs[0].shape
        stride = sources[0].fan_out.stride
        nodes = torch.empty(
            (batch, sources[0].edges * channels, height // stride, width // stride),
            dtype=inputs[0].dtype,
            device=inputs[0].device,
            memory_format=torch.channels_last,
        )
        weights = _weights(sources, mixture, passing)
        ctx.beside, ctx.counts, saved = {}, [], []
        with torch.cuda.device_of(nodes):
            for index, state in enumerate(_states(sources, inputs, nodes)):
                source = sources[index]
                around = Surroundings(nodes, *weights[index], order[index], place[index])
                kept = source.forward(state, kernels[index], around)
                if source.beside:
                    ctx.beside[index] = _Beside(source, state, around)
                    ctx.beside[index].add(nodes)
                tensors_kept = kept.tensors()
                ctx.counts.append(len(tensors_kept))
                saved += tensors_kept
        ctx.sources = sources
        ctx.save_for_backward(mixture, passing, order, place, nodes, *saved, *tensors)
        return nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        sources: Sequence[TritonSource] = ctx.sources
        mixture, passing, order, place, nodes, *rest = ctx.saved_tensors
        saved, tensors = _parts(rest, ctx.counts), rest[sum(ctx.counts) :]
        first = _inputs(sources)
        inputs, rest = tensors[:first], tensors[first:]
        counts = [len(source.fans) for source in sources]
        kernels = _parts(rest, counts)
        needed = ctx.needs_input_grad[5:]
        learned = _parts(needed[first:], counts)
        weights = _weights(sources, mixture, passing)
        # The gradient of a node is complete when all later sources have added theirs.
        completed = torch.empty_like(nodes).copy_(gradient)
        d_inputs = [
            torch.empty_like(x) if wanted else None
            for x, wanted in zip(inputs, needed, strict=False)
        ]
        d_states = [*d_inputs, *_states(sources, (), completed)]
        dtype = real(nodes.dtype)[0]
        sums = torch.empty(
            (len(mixture), sources[0].slots, sources[0].channels), dtype=dtype, device=nodes.device
        )
        parts = sums.split([source.edges for source in sources])
        d_kernels: list[list[Tensor | None]] = [[] for _ in sources]
        d_beside: list[list[Tensor | None]] = [[] for _ in sources]
        d_rows: dict[int, Tensor] = {}
        states = _states(sources, inputs, nodes)
        with torch.cuda.device_of(nodes):
            for index in reversed(range(len(sources))):
                source, kept = sources[index], Kept.of(saved[index])
                around = Surroundings(completed, *weights[index], order[index], place[index])
                d_kernels[index] = source.backward(
                    states[index],
                    kernels[index],
                    kept,
                    around,
                    parts[index],
                    d_states[index],
                    learned[index],
                )
                if index in ctx.beside:
                    beside = ctx.beside[index]
                    d_rows[index], d_beside[index] = beside.backward(completed, d_states[index])
        d_mixture = sums[:, 2:].sum(-1)
        d_passing = sums[:, 1, 0]
        for index, rows in d_rows.items():
            d_mixture.split([source.edges for source in sources])[index].add_(rows)
        gradients = [one for group in (*d_kernels, *d_beside) for one in group]
        return (
            None,
            d_mixture.to(mixture.dtype),
            d_passing.to(passing.dtype),
            None,
            None,
            *d_inputs,
            *gradients,
        )


def _inputs(sources: Sequence[TritonSource]) -> int:
    """The number of states that are inputs of the cell."""
    return sum(source.is_input for source in sources)


def _parts(items: Sequence, sizes: Sequence[int]) -> list:
    """Split the first sum(sizes) items into groups of these sizes."""
    groups, start = [], 0
    for size in sizes:
        groups.append(items[start : start + size])
        start += size
    return groups


def _weights(
    sources: Sequence[TritonSource], mixture: Tensor, passing: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """The rows of mixture and passing that belong to each source."""
    edges = [source.edges for source in sources]
    return list(zip(mixture.split(edges), passing.split(edges), strict=True))


def _states(
    sources: Sequence[TritonSource], inputs: Sequence[Tensor], nodes: Tensor
) -> list[Tensor]:
    """The states with outgoing edges: the inputs and all nodes but the last, as views."""
    inner = nodes.chunk(sources[0].edges, dim=1)
    return [*inputs, *inner[: len(sources) - _inputs(sources)]]


class _Beside:
    """The operations of a source without a kernel, connected to its state and the nodes."""

    def __init__(self, source: TritonSource, state: Tensor, around: Surroundings) -> None:
        channels, count = state.shape[1], source.channels
        self.read, place = around.order[:count], around.place[:count]
        nodes = range(source.first, source.first + source.edges)
        self.places = torch.cat([place + node * channels for node in nodes])
        self.part = BesideKernels(
            partial(source.fan_out.mix, source.beside),
            source.beside_parameters(),
            state.detach()[:, self.read],
            around.mixture,
        )

    def add(self, nodes: Tensor) -> None:
        nodes[:, self.places] += self.part.mixed.to(nodes.dtype)

    def backward(
        self, completed: Tensor, d_state: Tensor | None
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Add to the state's gradient; return the gradients of mixture and parameters."""
        d_x, d_mixture, gradients = self.part.backward(completed[:, self.places])
        if d_state is not None:
            d_state[:, self.read] += d_x.to(d_state.dtype)
        return d_mixture, gradients
