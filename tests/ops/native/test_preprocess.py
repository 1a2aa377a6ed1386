"""Native preprocessing of one input for several readers, compared with PyTorch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from ops.initialise import initialise
from ops.native import build, kernels
from ops.native.preprocess import preprocess
from ops.primitives import FactorizedReduce, ReluConvBn

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def compiler() -> None:
    try:
        kernels.prepare_kernels([], DOUBLE)
    except build.BuildError as error:
        pytest.skip(str(error))


def readers(kinds: str, channels: int = 6) -> list[ReluConvBn | FactorizedReduce]:
    made: list[ReluConvBn | FactorizedReduce] = []
    for number, kind in enumerate(kinds):
        width = 4 + 2 * number
        module = ReluConvBn if kind == "c" else FactorizedReduce
        made.append(module(channels, width, affine=False).double())
        initialise(made[-1], torch.Generator().manual_seed(number))
    return made


def pieces(count: int, channels: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(3, channels, 6, 8, generator=generator, dtype=DOUBLE)
    return [piece.clone().requires_grad_() for piece in x.chunk(count, dim=1)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kinds", ["c", "r", "cc", "cr", "rr", "ccr"])
def test_every_reader_equals_pytorch(kinds: str, count: int) -> None:
    ours, theirs = readers(kinds), readers(kinds)
    mine, x = pieces(count), pieces(count)
    found = preprocess(ours, mine)
    expected = [module(torch.cat(x, dim=1)) for module in theirs]
    generator = torch.Generator().manual_seed(10)
    probes = [torch.randn(y.shape, generator=generator, dtype=DOUBLE) for y in expected]
    gradients = []
    for results, given, modules in ((found, mine, ours), (expected, x, theirs)):
        weights = [weight for module in modules for weight in module.parameters()]
        total = torch.stack([(y * p).sum() for y, p in zip(results, probes, strict=True)]).sum()
        gradients.append(torch.autograd.grad(total, [*given, *weights]))
    for one, other in zip((*found, *gradients[0]), (*expected, *gradients[1]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    for one, other in zip(ours, theirs, strict=True):
        for name, buffer in one.named_buffers():
            torch.testing.assert_close(buffer, dict(other.named_buffers())[name])


def test_a_reader_that_nobody_used_gives_no_gradient() -> None:
    ours = readers("cc")
    (x,) = pieces(1)
    first, _ = preprocess(ours, [x])
    alone = copy.deepcopy(readers("c"))
    expected = torch.autograd.grad(alone[0](x).square().sum(), [x, *alone[0].parameters()])
    unknowns = [x, *ours[0].parameters(), *ours[1].parameters()]
    found = torch.autograd.grad(first.square().sum(), unknowns)
    for one, other in zip(found[:2], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    assert not found[2].any()
