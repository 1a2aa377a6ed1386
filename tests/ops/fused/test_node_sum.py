"""The sum of a node, compared with its definition: split, concatenate, shuffle, weight, add."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ops.fused.node_sum import node_sum
from ops.partial import draw_channels, shuffle_matrix, shuffle_order

EDGES, CHANNELS, SELECTED = 3, 8, 2


def tensors(generator: torch.Generator, layout: torch.memory_format) -> list[Tensor]:
    """The states of three edges, then their mixtures."""
    sizes = [CHANNELS] * EDGES + [SELECTED] * EDGES
    return [
        torch.randn(2, size, 3, 5, generator=generator, dtype=torch.float64)
        .contiguous(memory_format=layout)
        .requires_grad_()
        for size in sizes
    ]


def literal(
    states: list[Tensor], mixed: list[Tensor], weights: Tensor | None, selection: Tensor | None
) -> Tensor:
    total = torch.zeros_like(states[0])
    for edge, (state, part) in enumerate(zip(states, mixed, strict=True)):
        if selection is None:
            whole = torch.cat([part, state[:, SELECTED:]], dim=1)
            whole = whole[:, shuffle_order(CHANNELS, CHANNELS // SELECTED)]
        else:
            order = selection[edge]
            whole = torch.cat([part, state[:, order[SELECTED:]]], dim=1)[:, order.argsort()]
        total = total + (whole if weights is None else whole * weights[edge])
    return total


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_definition_edge_by_edge(
    weighted: bool, sampled: bool, layout: torch.memory_format, generator: torch.Generator
) -> None:
    weights = None
    if weighted:
        weights = torch.rand(EDGES, generator=generator, dtype=torch.float64).requires_grad_()
    selection = torch.stack([draw_channels(CHANNELS, generator) for _ in range(EDGES)])
    chosen = selection if sampled else None
    shuffle = None if sampled else shuffle_matrix(CHANNELS, CHANNELS // SELECTED)
    inputs = tensors(generator, layout)
    states, mixed = inputs[:EDGES], inputs[EDGES:]
    # The mixtures are already weighted.
    heavier = mixed if weights is None else [m * w for m, w in zip(mixed, weights, strict=True)]
    ours = node_sum(states, heavier, weights, chosen, shuffle)
    theirs = literal(states, mixed, weights, chosen)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    leaves = inputs if weights is None else [*inputs, weights]
    upstream = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    for a, b in zip(
        *(torch.autograd.grad(y, leaves, upstream) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_keeps_no_state_where_only_weights_of_the_network_learn(generator: torch.Generator) -> None:
    """Saving the states would double the memory of the weight step."""
    inputs = tensors(generator, torch.channels_last)
    weights = torch.rand(EDGES, generator=generator, dtype=torch.float64)
    node = node_sum(inputs[:EDGES], inputs[EDGES:], weights, None, shuffle_matrix(8, 4)).grad_fn
    assert node is not None
    shapes = [tuple(saved.shape) for saved in node.saved_tensors if saved is not None]
    assert shapes == [(EDGES,), (CHANNELS, CHANNELS)]
