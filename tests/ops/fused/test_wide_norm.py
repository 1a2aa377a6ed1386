"""Batch norms on groups of neighbouring pixels, compared with those of PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ops.fused import wide_norm as module
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.wide_norm import suits_rows, wide_norm


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (3, 6, 6, 10), (4, 48, 4, 4), (2, 4, 2, 2)])
def test_equals_batch_norm(
    shape: tuple[int, ...],
    weighted: bool,
    generator: torch.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FROM", 1)
    channels = shape[1]
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    x = (3 + x * torch.arange(1, channels + 1).view(-1, 1, 1)).contiguous(
        memory_format=torch.channels_last
    )
    weights = torch.rand(channels, generator=generator, dtype=torch.float64) if weighted else None
    leaves = [tensor.requires_grad_() for tensor in (x, weights) if tensor is not None]
    assert suits_rows(x, torch.zeros(channels).double())
    statistics = [(torch.zeros(channels).double(), torch.ones(channels).double()) for _ in range(2)]
    ours = wide_norm(x, weights, *statistics[0], 0.1, 1e-5)
    theirs = functional.batch_norm(x, *statistics[1], weights, None, True, 0.1, 1e-5)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    upstream = torch.randn(shape, generator=generator, dtype=torch.float64)
    slopes = [torch.autograd.grad(y, leaves, upstream) for y in (ours, theirs)]
    for a, b in zip(
        (ours, *slopes[0], *statistics[0]), (theirs, *slopes[1], *statistics[1]), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_batch_norms_of_a_supernet_use_it_for_large_batches(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FROM", 2 * 64)
    norm = WeightedNorm(4)
    large = torch.randn(2, 4, 8, 8, generator=generator).contiguous(
        memory_format=torch.channels_last
    )

    def function(x: torch.Tensor) -> str:
        return type(norm(x.requires_grad_()).grad_fn).__name__

    assert function(large) == "_WideNormBackward"
    assert function(large[:1].detach()) == "NativeBatchNormBackward0"
    norm.eval()
    assert function(large.detach()) == "NativeBatchNormBackward0"


@pytest.mark.parametrize("shape", [(2, 300, 4, 4), (2, 4, 7, 7), (2, 4, 1, 1)])
def test_odd_images_and_many_channels_use_pytorch(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FROM", 1)
    x = torch.ones(shape).contiguous(memory_format=torch.channels_last)
    assert not suits_rows(x, torch.zeros(shape[1]))
