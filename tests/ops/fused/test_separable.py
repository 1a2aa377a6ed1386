"""Separable convolutions on a CPU, compared with the two convolutions that they replace."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ops.fused.separable import Window, separable


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("edges", [1, 3])
def test_equals_two_convolutions(
    edges: int,
    shared: bool,
    dense: bool,
    kernel: int,
    dilation: int,
    size: tuple[int, int],
    generator: torch.Generator,
) -> None:
    channels, padding = 4, dilation * (kernel - 1) // 2
    width = edges * channels

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    x = leaf(2, channels if shared else width, *size)
    depthwise, pointwise = leaf(width, 1, kernel, kernel), leaf(width, channels, 1, 1)
    leaves = [x, depthwise, pointwise]
    ours = separable(*leaves, Window(edges, padding, dilation, shared, dense))
    inner = functional.conv2d(
        x.repeat(1, edges, 1, 1) if shared else x,
        depthwise,
        padding=padding,
        dilation=dilation,
        groups=width,
    )
    theirs = functional.conv2d(inner, pointwise, groups=edges)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
    upstream = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    for a, b in zip(
        *(torch.autograd.grad(y, leaves, upstream) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_keeps_nothing_between_the_convolutions(generator: torch.Generator) -> None:
    x = torch.randn(2, 4, 6, 6, generator=generator)
    kernels = torch.randn(12, 1, 3, 3), torch.randn(12, 4, 1, 1)
    leaves = [tensor.requires_grad_() for tensor in (x, *kernels)]
    node = separable(*leaves, Window(3, 1, 1, True, True)).grad_fn
    assert node is not None
    assert all(saved is leaf for saved, leaf in zip(node.saved_tensors, leaves, strict=True))
