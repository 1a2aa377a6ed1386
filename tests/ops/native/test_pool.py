"""3x3 pooling in C++ equals PyTorch's, with drop path and the sum of a node."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from ops.native.pool import run_pool

DOUBLE = torch.float64
LAST = torch.channels_last


def literal(kind: str, stride: int) -> nn.Module:
    if kind == "max":
        return nn.MaxPool2d(3, stride, padding=1)
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def images(shape: tuple[int, ...], dtype: torch.dtype = DOUBLE) -> Tensor:
    # Few different numbers, so that maxima are not unique.
    x = torch.randint(-3, 4, shape).to(dtype)
    return x.contiguous(memory_format=LAST).requires_grad_()


@pytest.mark.parametrize(
    ("kind", "stride", "shape"),
    list(
        itertools.product(
            ("max", "avg"), (1, 2), [(3, 6, 8, 8), (2, 5, 7, 4), (2, 16, 1, 3), (1, 1, 2, 2)]
        )
    ),
)
def test_pooling_equals_pytorch(kind: str, stride: int, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = images(shape)
    size = literal(kind, stride)(x).shape
    add = torch.randn(size, dtype=DOUBLE, requires_grad=True)
    mask = torch.tensor([0.0, 1.5, 1.5], dtype=DOUBLE)[: len(x)].view(-1, 1, 1, 1)
    # The gradient is a slice of channels, as behind a concatenation.
    gradient = torch.randn(size[0], size[1] + 3, *size[2:], dtype=DOUBLE)
    gradient = gradient.contiguous(memory_format=LAST)[:, 2:-1]

    def check(ours: Tensor, theirs: Tensor, wanted: list[Tensor]) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        for one, other in zip(
            torch.autograd.grad(ours, wanted, gradient),
            torch.autograd.grad(theirs, wanted, gradient),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)

    maximum = kind == "max"
    check(run_pool(x, stride=stride, maximum=maximum), literal(kind, stride)(x), [x])
    ours = run_pool(x, stride=stride, maximum=maximum, mask=mask, add=add)
    check(ours, literal(kind, stride)(x) * mask + add, [x, add])


def test_nan_stays_nan() -> None:
    x = torch.full((1, 8, 4, 4), float("nan")).contiguous(memory_format=LAST)
    assert run_pool(x, stride=1, maximum=True).isnan().all()
    assert run_pool(x, stride=2, maximum=False).isnan().all()


def test_a_second_derivative_is_an_error() -> None:
    x = images((2, 4, 4, 4))
    y = run_pool(x, stride=1, maximum=False)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
