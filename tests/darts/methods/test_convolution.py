"""A convolution that is differentiated twice: values and derivatives of PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jacrev

from darts.methods.convolution import FastSecondDerivatives, convolve

DOUBLE = torch.float64
FORMS: list[dict[str, Any]] = [
    {"padding": 1, "groups": 4},
    {"padding": 2, "dilation": 2, "groups": 4, "stride": 2},
    {"stride": (2, 1), "padding": (1, 0), "groups": 2},
    {},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_values_and_both_derivatives(form: dict[str, Any], generator: torch.Generator) -> None:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=DOUBLE).requires_grad_()

    x, weight = draw(2, 4, 6, 5), draw(4, 4 // form.get("groups", 1), 3, 3)
    bias = draw(4)
    torch.testing.assert_close(
        convolve(x, weight, bias, **form), torch.conv2d(x, weight, bias, **form)
    )

    def run(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return convolve(x, weight, bias, **form)

    assert gradcheck(run, (x, weight, bias))
    assert gradgradcheck(run, (x, weight, bias))


def test_inside_the_block_modules_have_fast_second_derivatives(generator: torch.Generator) -> None:
    layer = nn.Conv2d(2, 2, 3, padding="same", groups=2, bias=False).double()
    plain = nn.Conv2d(2, 2, 3, padding=1, bias=False).double()
    x = torch.randn(1, 2, 3, 3, generator=generator, dtype=DOUBLE)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (plain(layer(x)) ** 3).sum()

    expected = jacrev(grad(loss), chunk_size=1)(x)
    with FastSecondDerivatives():
        assert plain(x.requires_grad_()).grad_fn.name() == "_ConvolutionBackward"
        found = jacrev(grad(loss), chunk_size=1)(x.detach())
    torch.testing.assert_close(found, expected)
