"""Fused forms of edges, compared with one module per edge."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from genotypes import SPACES
from ops.fused.branches import FactorizedReduceFan, SeparableFan
from ops.fused.fan_out import FanOut
from ops.fused.mixed_norm import WeightedNorm

EDGES = 3


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (5, 2, 1), (3, 2, 2)])
def test_dense_and_separate_kernels_agree(
    kernel: int, stride: int, dilation: int, shared: bool, generator: torch.Generator
) -> None:
    """Depthwise then pointwise is one dense convolution with the product of both kernels."""
    fan = SeparableFan(4, EDGES, kernel, stride, dilation, shared=shared).double()
    # An odd size; these layers do not need an even one.
    x = torch.randn(2, 4 if shared else 12, 7, 9, generator=generator, dtype=torch.float64)
    results = []
    for dense in (True, False):
        fan.dense = dense
        fan.zero_grad()
        out = fan(x)
        out.square().sum().backward()
        results.append((out, *(parameter.grad.clone() for parameter in fan.parameters())))
    for dense_form, separate_form in zip(*results, strict=True):
        torch.testing.assert_close(dense_form, separate_form, rtol=1e-10, atol=1e-10)


def test_the_dense_kernel_by_hand() -> None:
    fan = SeparableFan(2, 1, 3, 1, 1, shared=True)
    with torch.no_grad():
        fan.depthwise.weight.copy_(torch.arange(18.0).view(2, 1, 3, 3))
        fan.pointwise.weight.copy_(torch.tensor([[2.0, 3.0], [5.0, 7.0]]).view(2, 2, 1, 1))
    kernel = fan.merged_kernel()
    assert kernel.shape == (2, 2, 3, 3)
    assert kernel[1, 0, 0, 1].item() == 5.0 * 1.0
    assert kernel[0, 1, 2, 2].item() == 3.0 * 17.0


def test_factorized_reduction_reads_complementary_pixels() -> None:
    fan = FactorizedReduceFan(2, 1)
    with torch.no_grad():
        fan.conv1.weight.fill_(1.0)
        fan.conv2.weight.fill_(10.0)
    kernel = fan.merged_kernel()
    image = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 2, 4, 4)
    out = functional.conv2d(image, kernel, stride=2)
    assert out[0, 0].flatten().tolist() == [0.0, 4.0, 16.0, 20.0]  # Twice pixels 0, 2, 8, 10.
    assert out[0, 1].flatten().tolist() == [100.0, 140.0, 260.0, 300.0]  # Pixels 5, 7, 13, 15.


def test_weights_are_linear_and_none_counts_nothing(generator: torch.Generator) -> None:
    operations = SPACES["darts"].operations
    fan = FanOut(operations, 4, EDGES, stride=1).double()
    x = torch.randn(2, 4, 6, 6, generator=generator, dtype=torch.float64)

    def run(weights: Tensor) -> Tensor:
        return torch.cat(fan(x, weights), dim=1)

    one, other = torch.rand(2, EDGES, 8, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(run(2 * one + other), 2 * run(one) + run(other))
    only_none = torch.zeros(EDGES, 8, dtype=torch.float64)
    only_none[:, operations.index("none")] = 1.0
    assert run(only_none).abs().max() == 0.0


def test_each_edge_is_weighted_by_its_own_row(generator: torch.Generator) -> None:
    operations = SPACES["darts"].operations
    fan = FanOut(operations, 4, EDGES, stride=1).double()
    x = torch.randn(2, 4, 6, 6, generator=generator, dtype=torch.float64)
    weights = torch.zeros(EDGES, 8, dtype=torch.float64)
    weights[1, operations.index("skip_connect")] = 0.5
    first, second, third = fan(x, weights)
    assert first.abs().max() == third.abs().max() == 0.0
    torch.testing.assert_close(second, 0.5 * x)


def test_only_none_is_refused() -> None:
    with pytest.raises(ValueError, match="besides 'none'"):
        FanOut(("none",), 4, EDGES, stride=1)(torch.zeros(1, 4, 4, 4), torch.ones(EDGES, 1))


def test_weighted_norm_by_hand() -> None:
    norm = WeightedNorm(1)
    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    out = norm(x, torch.tensor([0.25]))
    assert out.flatten().tolist() == pytest.approx([-0.25, 0.25], abs=1e-5)
    assert norm.running_mean.item() == pytest.approx(0.2)  # 0.9 · 0 + 0.1 · 2
    assert norm.running_var.item() == pytest.approx(0.9 + 0.1 * 2)  # Unbiased, as in torch.


def test_weighted_norm_gives_the_gradient_of_its_weight(generator: torch.Generator) -> None:
    norm = WeightedNorm(3).double()
    x = torch.randn(4, 3, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    w = torch.rand(3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: norm(x, w), (x, w))
