"""The candidate operations of an edge, one small class each; `ops.registry` names them.

The set and the layers of each operation are those of DARTS (arXiv 1806.09055, §3.1), used
unchanged by PC-DARTS; `sep_conv_7x7` and `conv_7x1_1x7` only occur in the NASNet and AmoebaNet
cells. All convolutions are free of biases. Every operation maps `[B, C, H, W]` to `[B, C, H, W]`
with stride 1 and to `[B, C, H/2, W/2]` with stride 2; height and width must then be even.

Norms have affine parameters in a network that is trained from scratch and none in a supernet,
where they would rescale the architecture's weights away (DARTS, appendix A.1.1).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ops.partial import ChannelError


def pointwise(c_in: int, c_out: int) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(c_in, c_out, 1, bias=False)


def depthwise(channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution of each channel by itself, padded to keep the image size, without bias."""
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )


PoolKind = Literal["max", "avg"]


class Zero(nn.Module):
    """`none`: the absent edge, as the input times 0."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class Pool(nn.Module):
    """3x3 max or average pooling; padding does not count in the average.

    Args:
        normalised: Whether a norm without affine parameters follows, as it does in a supernet.
    """

    def __init__(self, kind: PoolKind, channels: int, stride: int, normalised: bool) -> None:
        super().__init__()
        self.pool = (
            nn.MaxPool2d(3, stride, padding=1)
            if kind == "max"
            else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        )
        self.norm = nn.BatchNorm2d(channels, affine=False) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.pool(x))


class ReluConvBn(nn.Module):
    """ReLU, 1x1 convolution, norm: brings a cell's input to the cell's width."""

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = pointwise(c_in, c_out)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.after_relu(self.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """What `forward` makes of the x whose ReLU is given."""
        return self.norm(self.conv(x))


class FactorizedReduce(nn.Module):
    """Halves height and width by two 1x1 convolutions that read complementary pixels.

    The second convolution sees the input shifted by one pixel in both axes; each gives half of
    the output channels.

    Raises:
        ChannelError: c_out is odd.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        if c_out % 2:
            raise ChannelError(
                f"A factorised reduction gives an even number of channels, not {c_out}; "
                "choose the number of channels such that its parts are even."
            )
        self.relu = nn.ReLU()
        self.conv1 = pointwise(c_in, c_out // 2)
        self.conv2 = pointwise(c_in, c_out // 2)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.after_relu(self.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """What `forward` makes of the x whose ReLU is given."""
        # The pixels are chosen before the convolutions, so that each copies a quarter of them.
        upper, lower = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
        return self.norm(torch.cat([self.conv1(upper), self.conv2(lower)], dim=1))


class SeparableConv(nn.Module):
    """`sep_conv_kxk`: ReLU, depthwise, pointwise, norm, all of it twice; the first one strided."""

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise1 = depthwise(channels, kernel, stride)
        self.pointwise1 = pointwise(channels, channels)
        self.norm1 = nn.BatchNorm2d(channels, affine=affine)
        self.depthwise2 = depthwise(channels, kernel)
        self.pointwise2 = pointwise(channels, channels)
        self.norm2 = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.pointwise1(self.depthwise1(self.relu(x))))
        return self.norm2(self.pointwise2(self.depthwise2(self.relu(x))))


class DilatedConv(nn.Module):
    """`dil_conv_kxk`: ReLU, depthwise with dilation 2, pointwise, norm."""

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise = depthwise(channels, kernel, stride, dilation=2)
        self.pointwise = pointwise(channels, channels)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.pointwise(self.depthwise(self.relu(x))))


class FactorizedConv7(nn.Module):
    """`conv_7x1_1x7` of AmoebaNet: ReLU, full 1x7 then 7x1 convolution, norm."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1x7 = nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False)
        self.conv7x1 = nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv7x1(self.conv1x7(self.relu(x))))
