"""AnyNet's blocks, compared with torchvision's blocks and with their formulas."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from darts.system.torchvision_compat import torchvision
from ops.blocks import (
    ConvNorm,
    Residual,
    ResidualBottleneck,
    ResidualConv,
    SqueezeExcite,
    StridedPointwise,
    VanillaConv,
)


def images(channels: int, size: int = 7, batch: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, size, size, generator=generator, dtype=torch.float64)


def scrambled(module: nn.Module) -> nn.Module:
    """The module in double precision, with random weights and random affine batch norms."""
    generator = torch.Generator().manual_seed(1)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, 0.5, 0.5, generator=generator)
    return module


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("se_ratio", [0.0, 0.25])
@pytest.mark.parametrize(
    ("c_in", "c_out", "stride", "group_width", "b"),
    [(12, 12, 1, 4, 1), (10, 24, 2, 6, 1), (12, 24, 1, 3, 2), (24, 24, 2, 8, 0.5)],
)
def test_bottlenecks_equal_those_of_torchvision(
    c_in: int, c_out: int, stride: int, group_width: int, b: float, se_ratio: float, training: bool
) -> None:
    theirs = torchvision.models.regnet.ResBottleneckBlock(
        c_in, c_out, stride, nn.BatchNorm2d, nn.ReLU, group_width, 1 / b, se_ratio or None
    )
    inner = round(c_out / b)
    ours = ResidualBottleneck(
        c_in,
        c_out,
        inner=inner,
        stride=stride,
        groups=inner // group_width,
        squeezed=round(c_in * se_ratio),
    )
    scrambled(theirs).train(training)
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.double().load_state_dict(dict(state))
    x = images(c_in)
    torch.testing.assert_close(ours.train(training)(x), theirs(x.clone()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
def test_plain_blocks_by_the_formula(stride: int) -> None:
    vanilla, residual = VanillaConv(4, 6, stride=stride), ResidualConv(4, 6, stride=stride)
    x = images(4)

    def conv_norm(layer: ConvNorm, padding: int) -> Tensor:
        y = functional.conv2d(x, layer.conv.weight, None, stride, padding)
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
        scale, shift = layer.norm.weight, layer.norm.bias
        return (y - mean) / (var + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]

    scrambled(vanilla), scrambled(residual)
    torch.testing.assert_close(vanilla(x), conv_norm(vanilla, 1).relu())
    expected = (conv_norm(residual.spatial, 1) + conv_norm(residual.shortcut, 0)).relu()
    torch.testing.assert_close(residual(x), expected)


def test_a_shortcut_is_the_identity_if_shapes_agree() -> None:
    assert isinstance(ResidualConv(4, 4).shortcut, nn.Identity)
    assert isinstance(ResidualConv(4, 5).shortcut, ConvNorm)
    assert isinstance(ResidualConv(4, 4, stride=2).shortcut, ConvNorm)


def test_squeeze_excitation_by_hand() -> None:
    block = SqueezeExcite(2, 1).double()
    for parameter, value in zip(block.parameters(), (1.0, -1.0, 2.0, 0.5), strict=True):
        nn.init.constant_(parameter, value)
    x = torch.tensor([[[[1.0, 3.0]], [[4.0, 0.0]]]], dtype=torch.float64)
    # Means 2 and 2; squeezed ReLU(2 + 2 - 1) = 3; gate sigmoid(2 * 3 + 0.5).
    torch.testing.assert_close(block(x), x / (1 + torch.exp(torch.tensor(-6.5))).double())
    nn.init.constant_(block.reduce.bias, -9.0)  # The ReLU gives 0: the gate is sigmoid(0.5).
    torch.testing.assert_close(block(x), x * torch.tensor(0.5).double().sigmoid())


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_sizes_round_up(size: int) -> None:
    for block in (
        ResidualBottleneck(4, 8, inner=8, stride=2, groups=2, squeezed=1),
        ResidualConv(4, 8, stride=2),
        VanillaConv(4, 8, stride=2),
    ):
        assert block.double()(images(4, size)).shape == (4, 8, -(-size // 2), -(-size // 2))


@pytest.mark.parametrize(
    "block", [ResidualBottleneck(3, 3, inner=6, groups=2, squeezed=1), ResidualConv(3, 5, stride=2)]
)
def test_dropping_leaves_the_shortcut(block: Residual) -> None:
    scrambled(block).eval()
    x = images(3, batch=32)
    dropped = block(x, 0.5, torch.Generator().manual_seed(3))
    shortcut = block.shortcut(x).relu()
    kept = (block.shortcut(x) + 2 * block.transform(x)).relu()
    gone = torch.isclose(dropped, shortcut).flatten(1).all(1)
    assert 0 < gone.sum() < 32
    torch.testing.assert_close(dropped[gone], shortcut[gone])
    torch.testing.assert_close(dropped[~gone], kept[~gone])
    assert torch.equal(block(x), block(x, 0.0, torch.Generator()))


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_a_strided_pointwise_convolution_takes_every_other_pixel(size: tuple[int, int]) -> None:
    conv = StridedPointwise(6, 4, 1, 2, 0, groups=2, bias=False).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    plain = functional.conv2d(x, conv.weight, stride=2, groups=2)
    torch.testing.assert_close(conv(x), plain, rtol=0, atol=1e-12)


def test_a_narrow_shortcut_survives_channels_last() -> None:
    # torch's own strided 1x1 convolution crashes the process here.
    block = ConvNorm(8, 8, stride=2).to(memory_format=torch.channels_last)
    x = torch.randn(4, 8, 64, 64).to(memory_format=torch.channels_last).requires_grad_()
    block(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad[:, :, 1::2].abs().max() == 0
