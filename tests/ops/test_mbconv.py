"""MBConv and the heads, compared with torchvision's blocks and with results by hand."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from darts.system.torchvision_compat import torchvision
from ops.mbconv import ConvHead, LayerStyle, MBConv, MBPool, MobileConv, SameConv2d

STYLE = LayerStyle()


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
@pytest.mark.parametrize(
    ("c_in", "c_out", "kernel", "stride", "expansion"),
    [(8, 8, 3, 1, 6), (8, 16, 5, 2, 6), (16, 8, 3, 1, 1), (16, 16, 5, 1, 1), (16, 16, 3, 2, 4)],
)
def test_equals_that_of_torchvision(
    c_in: int, c_out: int, kernel: int, stride: int, expansion: int, training: bool
) -> None:
    theirs_config = torchvision.models.efficientnet.MBConvConfig(
        expansion, kernel, stride, c_in, c_out, 1
    )
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    theirs = scrambled(torchvision.models.efficientnet.MBConv(theirs_config, 0.0, norm))
    ours = MBConv(
        c_in, c_out, inner=c_in * expansion, style=STYLE, kernel=kernel, stride=stride,
        squeezed=c_in // 4,
    )  # fmt: skip
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.double().load_state_dict(dict(state))
    x = images(c_in)
    ours.train(training), theirs.train(training)
    torch.testing.assert_close(ours(x), theirs(x.clone()), rtol=1e-11, atol=1e-11)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, other)


def test_hard_activations_against_torchvision() -> None:
    # MobileNetV3 has them where FBNetV3 does, except for a ReLU inside squeeze-excitation.
    theirs = torchvision.ops.SqueezeExcitation(
        24, 8, activation=nn.Hardswish, scale_activation=nn.Hardsigmoid
    )
    style = LayerStyle(activation="hard-swish", gate="hard-sigmoid")
    ours = MBConv(24, 24, inner=24, style=style, squeezed=8).excite.double()
    ours.load_state_dict(
        dict(zip(ours.state_dict(), scrambled(theirs).state_dict().values(), strict=True))
    )
    torch.testing.assert_close(ours(images(24)), theirs(images(24)))


@pytest.mark.parametrize(("c_out", "stride", "skips"), [(6, 1, True), (6, 2, False), (7, 1, False)])
def test_skips_if_shapes_agree(c_out: int, stride: int, skips: bool) -> None:
    block = MBConv(6, c_out, inner=12, style=STYLE, stride=stride).double().eval()
    nn.init.zeros_(block.project.norm.weight)
    x = images(6)
    out = block(x)
    assert torch.equal(out, x) if skips else not out.any()


def test_no_expansion_if_the_channels_stay_equal() -> None:
    assert isinstance(MBConv(6, 6, inner=6, style=STYLE).expand, nn.Identity)
    assert isinstance(MBConv(6, 6, inner=7, style=STYLE).expand, MobileConv)


def test_dropping_leaves_the_input() -> None:
    block = scrambled(MBConv(4, 4, inner=8, style=STYLE)).eval()
    x = images(4, batch=32)
    out = block(x, 0.5, torch.Generator().manual_seed(3))
    gone = (out == x).flatten(1).all(1)
    assert 5 < gone.sum() < 27
    torch.testing.assert_close(out[~gone], (2 * block(x) - x)[~gone])
    # Without a skip connection nothing is dropped: the signal would be lost.
    changing = scrambled(MBConv(4, 6, inner=8, style=STYLE)).eval()
    assert torch.equal(changing(x, 0.5, torch.Generator().manual_seed(3)), changing(x))


@pytest.mark.parametrize("size", [6, 7, 8, 9])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 3), (5, 1)])
def test_same_padding(size: int, kernel: int, stride: int) -> None:
    conv = SameConv2d(2, 2, kernel, stride, groups=2, bias=False).double()
    x = images(2, size)
    out = -(-size // stride)
    assert conv(x).shape[-2:] == (out, out)
    total = max((out - 1) * stride + kernel - size, 0)
    first = total // 2
    # The first output reads the first pixels after `first` zeros of padding.
    padded = functional.pad(x, (first, kernel, first, kernel))
    expected = (padded[:, :, :kernel, :kernel] * conv.weight[:, 0]).sum((2, 3))
    torch.testing.assert_close(conv(x)[:, :, 0, 0], expected)


def test_same_and_symmetric_differ_on_even_sizes_only() -> None:
    same = MobileConv(3, 4, 3, style=LayerStyle(padding="same"), stride=2).double()
    symmetric = MobileConv(3, 4, 3, style=STYLE, stride=2).double()
    symmetric.load_state_dict(same.state_dict())
    torch.testing.assert_close(same(images(3, 9)), symmetric(images(3, 9)))
    assert not torch.allclose(same(images(3, 8)), symmetric(images(3, 8)))


@pytest.mark.parametrize(("kernel", "padding", "out"), [(5, 1, 13), (3, 0, 13), (5, None, 14)])
def test_odd_paddings_lose_pixels(kernel: int, padding: int | None, out: int) -> None:
    block = MBConv(3, 4, inner=6, style=STYLE, kernel=kernel, stride=2, padding=padding).double()
    assert block(images(3, 28)).shape[-1] == out


def test_pool_by_hand() -> None:
    style = LayerStyle(activation="hard-swish", norm_eps=1e-5)
    head = scrambled(MBPool(3, 5, inner=4, style=style)).eval()
    x = images(3)
    # In evaluation mode a new batch norm only scales and shifts: mean 0, variance 1.
    norm = head.expand.norm
    grown = torch.einsum("bchw,oc->bohw", x, head.expand.conv.weight[:, :, 0, 0])
    grown = grown / (1 + 1e-5) ** 0.5 * norm.weight[:, None, None] + norm.bias[:, None, None]
    means = (grown * (grown + 3).clamp(0, 6) / 6).mean((2, 3))
    y = means @ head.conv.weight[:, :, 0, 0].T
    torch.testing.assert_close(head(x), y * (y + 3).clamp(0, 6) / 6)


def test_conv_head_averages_after_the_activation() -> None:
    head = scrambled(ConvHead(3, 5, style=STYLE)).eval()
    x = images(3)
    torch.testing.assert_close(head(x), head.conv(x).mean((2, 3)))
    assert head(x).shape == (4, 5)
