"""Chains of ReLU, convolution and batch norm in C++ equal the same layers in PyTorch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ops.blocks import StridedPointwise
from ops.native import build, chain
from ops.native.chain import ChainStage, run_chain
from ops.primitives import depthwise, pointwise

DOUBLE = torch.float64


def separable(c_in: int, c_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> ChainStage:
    norm = nn.BatchNorm2d(c_out)
    return ChainStage(norm, (depthwise(c_in, kernel, stride, dilation), pointwise(c_in, c_out)))


def plain(c_in: int, c_out: int, relu: bool = True) -> ChainStage:
    return ChainStage(nn.BatchNorm2d(c_out, momentum=0.3), (pointwise(c_in, c_out),), relu)


def strided(c_in: int, c_out: int, stride: int) -> ChainStage:
    convolution = StridedPointwise(c_in, c_out, 1, stride, bias=False)
    return ChainStage(nn.BatchNorm2d(c_out), (convolution,), relu=False)


def grouped(channels: int, groups: int, stride: int = 1) -> ChainStage:
    convolution = nn.Conv2d(channels, channels, 3, stride, 1, groups=groups, bias=False)
    return ChainStage(nn.BatchNorm2d(channels), (convolution,))


def halves(c_in: int, c_out: int) -> ChainStage:
    each = c_out // 2
    return ChainStage(
        nn.BatchNorm2d(c_out, eps=1e-3), (pointwise(c_in, each), pointwise(c_in, each))
    )


def bottleneck(channels: int, groups: int, stride: int = 1) -> list[ChainStage]:
    return [plain(10, channels, relu=False), grouped(channels, groups, stride), plain(channels, 30)]


def dense(stride: int) -> ChainStage:
    convolution = nn.Conv2d(3, 20, 3, stride, 1, bias=False)
    return ChainStage(nn.BatchNorm2d(20), (convolution,), relu=False)


@dataclass(frozen=True)
class Case:
    """Stages, the shape of x, and what follows the last batch norm."""

    stages: Callable[[], list[ChainStage]]
    shape: tuple[int, int, int, int]
    relu: bool = False
    masked: bool = False
    added: bool = False
    finally_relu: bool = False
    shortcut: Callable[[], list[ChainStage]] | None = None


# Channels with and without a rest beside whole vectors; tiles of one and several images, with and
# without a rest; images smaller than the window.
CASES = {
    "depthwise 3": Case(lambda: [separable(6, 7, 3)], (37, 6, 8, 8)),
    "depthwise 5": Case(lambda: [separable(8, 8, 5)], (37, 8, 4, 4)),
    "depthwise 7": Case(lambda: [separable(10, 3, 7)], (5, 10, 5, 5)),
    "stride": Case(lambda: [separable(12, 12, 3, 2)], (33, 12, 8, 6)),
    "stride, dilation": Case(lambda: [separable(3, 5, 5, 2, 2)], (9, 3, 7, 9)),
    "dilation": Case(lambda: [separable(36, 36, 5, 1, 2)], (3, 36, 8, 8)),
    "rows of 8": Case(lambda: [separable(9, 9, 5), separable(9, 10, 3, 1, 2)], (5, 9, 6, 8)),
    "small image": Case(lambda: [separable(17, 18, 3, 1, 2)], (64, 17, 2, 2)),
    "large image": Case(lambda: [separable(9, 40, 3)], (3, 9, 16, 16)),
    # Rounded up to vectors, the last of these groups ends later than all channels rounded up.
    "groups of 6": Case(lambda: bottleneck(12, 2), (5, 10, 8, 8)),
    "last group beyond 16": Case(lambda: bottleneck(80, 10), (5, 10, 4, 4)),
    "groups of 5": Case(lambda: bottleneck(20, 4, 2), (33, 10, 6, 6), True, True, True),
    "two stages": Case(
        lambda: [separable(10, 10, 3, 2), separable(10, 10, 3)], (6, 10, 8, 8), False, True, True
    ),
    "pointwise": Case(lambda: [plain(20, 24)], (64, 20, 8, 8), relu=True),
    "factorised": Case(lambda: [halves(9, 14)], (33, 9, 8, 6), added=True),
    "one group": Case(lambda: bottleneck(24, 1), (20, 10, 7, 7), True, True),
    "groups of 8": Case(lambda: bottleneck(24, 3, 2), (20, 10, 7, 7), True, True, True),
    "residual": Case(
        lambda: bottleneck(16, 2), (9, 10, 6, 6), masked=True, added=True, finally_relu=True
    ),
    "identity beside": Case(
        lambda: [plain(20, 24), grouped(24, 3), plain(24, 20)],
        (9, 20, 6, 6),
        masked=True,
        finally_relu=True,
        shortcut=list,
    ),
    "identity, no ReLU": Case(lambda: [plain(9, 9)], (5, 9, 4, 4), shortcut=list),
    "projection beside": Case(
        lambda: bottleneck(24, 3, 2),
        (20, 10, 7, 7),
        masked=True,
        finally_relu=True,
        shortcut=lambda: [strided(10, 30, 2)],
    ),
    "strided": Case(lambda: [plain(10, 12), strided(12, 20, 2)], (9, 10, 7, 5), relu=True),
    "stride of 3": Case(lambda: [strided(11, 8, 3)], (9, 11, 8, 7)),
    "ReLU of a chain": Case(lambda: [plain(5, 7)], (9, 5, 6, 6), finally_relu=True),
    "groups of 12": Case(lambda: bottleneck(24, 2), (3, 10, 6, 7), True),
    "groups of 4": Case(lambda: bottleneck(24, 6, 2), (5, 10, 8, 8)),
    "groups of 20": Case(lambda: bottleneck(60, 3), (2, 10, 4, 4)),
    "stem": Case(lambda: [dense(2)], (9, 3, 9, 9)),
}


@dataclass(frozen=True)
class Drawn:
    """The tensors of a case."""

    stages: list[ChainStage]
    shortcut: list[ChainStage] | None
    x: Tensor
    mask: Tensor | None


def drawn(case: Case, dtype: torch.dtype) -> Drawn:
    torch.manual_seed(0)
    stages = case.stages()
    shortcut = None if case.shortcut is None else case.shortcut()
    for stage in (*stages, *(shortcut or ())):
        for layer in (stage.norm, *stage.convolutions):
            layer.to(dtype)
        nn.init.uniform_(stage.norm.weight, -1, 1.5)
        nn.init.uniform_(stage.norm.bias, -1, 1)
    x = torch.randn(case.shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
    mask = torch.tensor([0.0, 1.5], dtype=dtype).repeat(len(x))[: len(x)].view(-1, 1, 1, 1)
    return Drawn(stages, shortcut, x.requires_grad_(), mask if case.masked else None)


def through(stages: Sequence[ChainStage], x: Tensor) -> Tensor:
    for stage in stages:
        x = x.relu() if stage.relu else x
        if stage.halves:
            first, second = stage.convolutions
            x = torch.cat([first(x[:, :, ::2, ::2]), second(x[:, :, 1::2, 1::2])], dim=1)
        else:
            x = nn.Sequential(*stage.convolutions)(x)
        x = stage.norm(x)
    return x


def literal(case: Case, given: Drawn) -> Tensor:
    y = through(given.stages, given.x)
    y = y.relu() if case.relu else y
    y = y if given.mask is None else y * given.mask
    return y if given.shortcut is None else y + through(given.shortcut, given.x)


def outcome(case: Case, dtype: torch.dtype, native: bool) -> list[Tensor]:
    """The output, all gradients and the buffers of the batch norms."""
    given = drawn(case, dtype)
    every = [*given.stages, *(given.shortcut or ())]
    parameters = [one for stage in every for one in stage.parameters]
    torch.manual_seed(1)
    with torch.no_grad():
        shape = literal(case, drawn(case, dtype)).shape
    add = torch.randn(shape, dtype=dtype, requires_grad=True)
    if native:
        y = run_chain(
            given.stages,
            given.x,
            relu=case.relu,
            mask=given.mask,
            add=add if case.added else None,
            shortcut=given.shortcut,
            finally_relu=case.finally_relu,
        )
    else:
        y = literal(case, given)
        y = y + add if case.added else y
        y = y.relu() if case.finally_relu else y
    torch.manual_seed(2)
    wanted = [given.x, *parameters, *([add] if case.added else [])]
    gradients = torch.autograd.grad(y, wanted, torch.randn(shape, dtype=dtype))
    buffers = [buffer for stage in every for buffer in stage.norm.buffers()]
    return [y.detach(), *gradients, *buffers]


@pytest.mark.parametrize("name", CASES)
def test_chains_equal_the_layers(name: str) -> None:
    ours = outcome(CASES[name], DOUBLE, native=True)
    theirs = outcome(CASES[name], DOUBLE, native=False)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_chains_in_float32_are_close_to_the_layers(name: str) -> None:
    """Vectors have twice as many numbers there, so channels and groups end elsewhere in them."""
    ours = outcome(CASES[name], torch.float32, native=True)
    theirs = outcome(CASES[name], torch.float32, native=False)
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).double().norm() <= 1e-4 * other.double().norm().clamp(min=1)


@pytest.fixture(scope="module")
def long_vectors() -> Any:
    """The kernels for vectors of 16 numbers, which this processor may have to put together."""
    library = build.load_library("chain.cpp", {"REAL": "float", "LANE_BYTES": "64"})
    library.chain_vector.restype = ctypes.c_int64
    return library


@pytest.mark.parametrize("name", CASES)
def test_the_layout_of_longer_vectors(
    name: str, long_vectors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = outcome(CASES[name], torch.float32, native=False)
    monkeypatch.setattr(chain, "load", lambda dtype: long_vectors)
    ours = outcome(CASES[name], torch.float32, native=True)
    assert long_vectors.chain_vector() == 16
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).double().norm() <= 1e-4 * other.double().norm().clamp(min=1)


@pytest.mark.parametrize("name", ["depthwise 3", "two stages", "groups of 8", "groups of 4"])
def test_results_are_the_same_bits_for_any_number_of_threads(name: str) -> None:
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 2):
            torch.set_num_threads(threads)
            results.append(outcome(CASES[name], torch.float32, native=True))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    theirs = outcome(CASES[name], torch.float32, native=False)
    for ours, other_form in zip(results[0], theirs, strict=True):
        torch.testing.assert_close(ours, other_form, rtol=1e-3, atol=1e-3)


def test_what_needs_no_gradient_gets_none() -> None:
    stages = [separable(4, 4, 3)]
    stages[0].norm.bias.requires_grad_(False)
    x = torch.randn(2, 4, 4, 4).contiguous(memory_format=torch.channels_last)
    run_chain(stages, x).sum().backward()
    assert x.grad is None
    assert stages[0].norm.bias.grad is None
    assert stages[0].convolutions[0].weight.grad is not None


def test_a_gradient_may_be_a_slice_of_channels() -> None:
    given = drawn(CASES["depthwise 3"], DOUBLE)
    stages, x = given.stages, given.x
    y = run_chain(stages, x)
    wide = torch.randn(len(y), 12, *y.shape[2:], dtype=DOUBLE).contiguous(
        memory_format=torch.channels_last
    )
    part = wide[:, 5:]
    (ours,) = torch.autograd.grad(y, x, part, retain_graph=True)
    (copied,) = torch.autograd.grad(y, x, part.contiguous())
    assert torch.equal(ours, copied)


def test_a_second_derivative_is_an_error() -> None:
    given = drawn(CASES["pointwise"], torch.float32)
    stages, x = given.stages, given.x
    (gradient,) = torch.autograd.grad(run_chain(stages, x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_output_may_be_changed_in_place() -> None:
    given = drawn(CASES["pointwise"], DOUBLE)
    stages, x = given.stages, given.x
    run_chain(stages, x).relu_().sum().backward()
    changed = x.grad
    x.grad = None
    run_chain(stages, x).relu().sum().backward()
    assert changed is not None
    assert torch.equal(changed, x.grad)
