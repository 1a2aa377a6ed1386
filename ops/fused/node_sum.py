"""Sum of a node's incoming edges: weighted mixed-op outputs plus bypassed channels, shuffled once.

    out = (sum over edges e of  v_e · state_e  +  place(mixed_e)) · permutation

v_e is beta of the edge for the channels that bypass the mixed operation and 0 for the channels that
it has processed. All steps after the split of the channels commute with the sum. A node is
therefore shuffled once for all its edges, and so is its gradient in the backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def node_sum(
    states: Sequence[Tensor],
    mixed: Sequence[Tensor],
    edge_weights: Tensor | None,
    selection: Tensor | None,
    permutation: Tensor | None,
) -> Tensor:
    """Compute a node from the E edges that end in it.

    >>> state, mixed = torch.ones(1, 4, 2, 2), torch.full((1, 2, 2, 2), 5.0)
    >>> node_sum([state], [mixed], None, None, None)[0, :, 0, 0].tolist()
    [5.0, 5.0, 1.0, 1.0]

    Args:
        states: E source states `[B, C, H, W]`; already max-pooled if the edges have stride 2.
        mixed: E outputs of mixed operations `[B, C/K, H, W]`, already weighted.
        edge_weights: beta `[E]`, or None for 1.
        selection: `[E, C]`, a permutation of the channels for each edge. The mixed operation reads
            and writes the first C/K of them. None: the first C/K channels on all edges.
        permutation: The channel shuffle as a matrix `[C, C]`, or None.

    Returns:
        The node `[B, C, H, W]`, channels_last.
    """
    result: Tensor = _NodeSum.apply(
        len(states), edge_weights, selection, permutation, *states, *mixed
    )
    return result


class _NodeSum(torch.autograd.Function):
    @staticmethod
    def forward(
        edges: int,
        edge_weights: Tensor | None,
        selection: Tensor | None,
        permutation: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        states = [_rows(state) for state in tensors[:edges]]
        mixed = [_rows(tensor) for tensor in tensors[edges:]]
        channels, selected = states[0].shape[1], mixed[0].shape[1]
        total = torch.zeros_like(states[0]) if selection is not None else None
        if selection is None:
            total = states[0] * edge_weights[0] if edge_weights is not None else states[0].clone()
            for number, state in enumerate(states[1:], 1):
                if edge_weights is None:
                    total.add_(state)
                else:
                    total.addcmul_(state, edge_weights[number])
            processed = total[:, :selected]
            processed.copy_(mixed[0])
            for tensor in mixed[1:]:
                processed.add_(tensor)
        else:
            assert total is not None
            for number, (state, tensor) in enumerate(zip(states, mixed, strict=True)):
                mask = _bypass(selection[number], selected, state)
                if edge_weights is not None:
                    mask = mask * edge_weights[number]
                total.addcmul_(state, mask)
                total.index_add_(1, selection[number, :selected], tensor)
        assert total.shape[1] == channels
        if permutation is not None:
            total = total @ permutation.to(total.dtype)
        return _images(total, tensors[0].shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.edges, edge_weights, selection, permutation, *tensors = inputs
        ctx.selected = tensors[ctx.edges].shape[1]
        weighs = edge_weights is not None and edge_weights.requires_grad
        states = tensors[: ctx.edges] if weighs else ()
        ctx.save_for_backward(edge_weights, selection, permutation, *states)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        edge_weights, selection, permutation, *states = ctx.saved_tensors
        size = gradient.shape
        rows = _rows(gradient)
        if permutation is not None:
            rows = rows @ permutation.to(rows.dtype).t()
        mixed: list[Tensor]
        if selection is None:
            # All mixtures have the same gradient; so have all bypasses, up to the factor beta.
            mixed = [_images(rows[:, : ctx.selected].contiguous(), size)] * ctx.edges
            if permutation is None:
                rows = rows.clone()
            rows[:, : ctx.selected] = 0
            bypasses = [rows] * ctx.edges
        else:
            chosen = [rows[:, order[: ctx.selected]] for order in selection]
            mixed = [_images(tensor, size) for tensor in chosen]
            bypasses = [rows * _bypass(order, ctx.selected, rows) for order in selection]
        weights = None
        if states:
            pairs = zip(bypasses, states, strict=True)
            weights = torch.stack([_inner_product(rows, _rows(state)) for rows, state in pairs])
        if edge_weights is not None:
            bypasses = [w * rows for w, rows in zip(edge_weights, bypasses, strict=True)]
        passed = [_images(rows, size) for rows in bypasses]
        return None, weights, None, None, *passed, *mixed


def _rows(images: Tensor) -> Tensor:
    """`[B, C, H, W]` as `[B·H·W, C]`; a view if the layout is channels_last."""
    return images.permute(0, 2, 3, 1).flatten(0, 2)


def _images(rows: Tensor, size: torch.Size) -> Tensor:
    batch, _, height, width = size
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)


def _bypass(order: Tensor, selected: int, like: Tensor) -> Tensor:
    """Mask `[C]`: 1 for the channels that bypass, 0 for the selected channels."""
    return like.new_ones(like.shape[1]).index_fill(0, order[:selected], 0)


def _inner_product(one: Tensor, other: Tensor) -> Tensor:
    return torch.dot(one.flatten(), other.flatten())
