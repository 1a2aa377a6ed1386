"""The batch norm whose scale is an input."""

from __future__ import annotations

import torch

from ops.fused.mixed_norm import WeightedNorm


def test_weights_may_be_a_column_of_a_table(generator: torch.Generator) -> None:
    """The kernel of torch 2.13 on the CPU would read such weights as if they were contiguous."""
    norm = WeightedNorm(4).double()
    images = torch.randn(3, 4, 5, 5, generator=generator, dtype=torch.float64)
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    upstream = torch.randn_like(images)
    column = torch.rand(4, 3, generator=generator, dtype=torch.float64)[:, 1]
    ours, alone = (
        torch.autograd.grad(norm(images, weights), images, upstream)[0]
        for weights in (column, column.clone())
    )
    assert ours.equal(alone)
