"""The candidate operations: layers, parameters and results as published."""

import pytest
import torch
from torch import Tensor, nn

from ops.partial import ChannelError
from ops.primitives import (
    DilatedConv,
    FactorizedConv7,
    FactorizedReduce,
    Pool,
    ReluConvBn,
    SeparableConv,
)
from ops.registry import create_operation, list_operations

SCALE = 1 / (1 + 1e-5) ** 0.5  # of a new batch norm in evaluation mode


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def impulse(size: int, channels: int = 2) -> Tensor:
    image = torch.zeros(1, channels, size, size, dtype=torch.float64)
    image[:, :, size // 2, size // 2] = 1
    return image


def ones(module: nn.Module) -> nn.Module:
    """The module with all kernels 1, in double precision and evaluation mode."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)
    return module.double().eval()


@pytest.mark.parametrize("name", list_operations())
@pytest.mark.parametrize("stride", [1, 2])
def test_shape_and_purity(name: str, stride: int) -> None:
    x = torch.randn(2, 4, 8, 6, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    out = create_operation(name, 4, stride, affine=True)(x)
    assert out.shape == (2, 4, 8 // stride, 6 // stride)
    assert torch.equal(x, before)


# Including batch norms: sep 2(k²C + C²) + 4C, dil k²C + C² + 2C, reduction C² + 2C; C = 16.
@pytest.mark.parametrize(
    ("name", "stride", "affine", "expected"),
    [
        ("none", 1, True, 0),
        ("max_pool_3x3", 2, True, 0),
        ("avg_pool_3x3", 1, True, 0),
        ("skip_connect", 1, True, 0),
        ("skip_connect", 2, True, 288),
        ("skip_connect", 2, False, 256),
        ("sep_conv_3x3", 1, True, 864),
        ("sep_conv_3x3", 1, False, 800),
        ("sep_conv_5x5", 2, True, 1376),
        ("sep_conv_7x7", 1, True, 2144),
        ("dil_conv_3x3", 2, True, 432),
        ("dil_conv_5x5", 1, True, 688),
        ("dil_conv_5x5", 1, False, 656),
        ("conv_7x1_1x7", 2, True, 3616),
    ],
)
def test_parameters(name: str, stride: int, affine: bool, expected: int) -> None:
    assert parameters(create_operation(name, 16, stride, affine)) == expected


def test_preprocessing_parameters() -> None:
    assert parameters(ReluConvBn(12, 16, affine=True)) == 12 * 16 + 32
    assert parameters(FactorizedReduce(12, 16, affine=False)) == 12 * 16


def test_no_convolution_has_a_bias() -> None:
    for name in list_operations():
        for part in create_operation(name, 4, 2, affine=True).modules():
            assert not (isinstance(part, nn.Conv2d) and part.bias is not None)


def test_none_is_zero_even_where_the_input_is_not() -> None:
    zero = create_operation("none", 3, 2, affine=False)
    assert torch.equal(zero(torch.ones(1, 3, 4, 4)), torch.zeros(1, 3, 2, 2))


def test_average_pooling_leaves_padding_out() -> None:
    x = torch.ones(1, 2, 4, 4)
    assert torch.equal(Pool("avg", 2, 1, normalised=False)(x), x)


def test_max_pooling_of_negative_numbers_ignores_padding() -> None:
    x = -torch.arange(1.0, 17.0).view(1, 1, 4, 4)
    expected = torch.tensor([[-1.0, -2.0], [-5.0, -6.0]]).view(1, 1, 2, 2)
    assert torch.equal(Pool("max", 1, 2, normalised=False)(x), expected)


def test_pools_of_a_supernet_are_normalised() -> None:
    pool = create_operation("max_pool_3x3", 2, 1, affine=False, normalised=True)
    assert parameters(pool) == 0
    out = pool(torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(0)))
    assert out.mean((0, 2, 3)).abs().max() < 1e-6
    assert out.var((0, 2, 3), correction=0).sub(1).abs().max() < 1e-3


def test_factorized_reduce_reads_even_and_odd_pixels() -> None:
    x = torch.arange(16, dtype=torch.float64).view(1, 1, 4, 4)
    out = ones(FactorizedReduce(1, 2, affine=True))(x) / SCALE
    torch.testing.assert_close(out[0, 0], torch.tensor([[0, 2], [8, 10]], dtype=torch.float64))
    torch.testing.assert_close(out[0, 1], torch.tensor([[5, 7], [13, 15]], dtype=torch.float64))


def test_factorized_reduce_refuses_odd_widths() -> None:
    with pytest.raises(ChannelError, match="even number of output channels, not 3"):
        create_operation("skip_connect", 3, 2, affine=True)


def reach(out: Tensor, size: int) -> set[int]:
    """The rows, relative to the middle, that an impulse in the middle reaches."""
    return {row - size // 2 for row in out[0, 0, :, size // 2].nonzero().flatten().tolist()}


def test_receptive_fields() -> None:
    size = 21
    for kernel in (3, 5, 7):
        out = ones(SeparableConv(2, kernel, 1, affine=False))(impulse(size))
        assert reach(out, size) == set(range(1 - kernel, kernel))
    assert reach(ones(DilatedConv(2, 3, 1, affine=False))(impulse(size)), size) == {-2, 0, 2}
    assert reach(ones(DilatedConv(2, 5, 1, affine=False))(impulse(size)), size) == {-4, -2, 0, 2, 4}
    out = ones(FactorizedConv7(2, 1, affine=False))(impulse(size))
    assert torch.count_nonzero(out) == 2 * 7 * 7


def test_nothing_between_depthwise_and_pointwise() -> None:
    """Two negative kernels in a row give ReLU(x); a ReLU between them would give 0."""
    x = torch.tensor([-1.0, 2.0], dtype=torch.float64).view(1, 2, 1, 1).expand(1, 2, 5, 5)
    dilated, separable = DilatedConv(2, 3, 1, affine=False), SeparableConv(2, 3, 1, affine=False)
    for operation, scale in ((dilated, SCALE), (separable, SCALE**2)):
        for name, kernel in operation.double().eval().named_parameters():
            with torch.no_grad():
                if name.startswith("depthwise"):
                    kernel.zero_()[:, :, 1, 1] = -1
                else:
                    kernel.copy_(-torch.eye(2).view(2, 2, 1, 1))
        torch.testing.assert_close(operation(x), x.clamp(min=0) * scale)


def test_second_half_of_a_separable_convolution_begins_with_a_relu() -> None:
    x = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    operation = ones(SeparableConv(1, 3, 1, affine=False))
    with torch.no_grad():
        operation.pointwise1.weight.neg_()
    assert torch.count_nonzero(operation(x)) == 0
