"""The candidate operations of an edge, one small class each; `ops.registry` names them.

The operations and their layers are those of DARTS (arXiv 1806.09055, §3.1), which PC-DARTS uses
unchanged; only the NASNet and AmoebaNet cells use `sep_conv_7x7` and `conv_7x1_1x7`. Convolutions
have no biases. Every operation maps `[B, C, H, W]` to `[B, C, H, W]` with stride 1 and to
`[B, C, H/2, W/2]` with stride 2, where height and width must be even.

Batch norms have affine parameters in a network that is trained from scratch. In a supernet they
have none, because an affine scale would cancel the weights of the architecture (DARTS, appendix
A.1.1).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ops.chains import Chained, ChainStage, run_pool, takes_pool
from ops.partial import ChannelError
from ops.regularize import RandomModule, draw_normal


def pointwise(c_in: int, c_out: int) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(c_in, c_out, 1, bias=False)


def depthwise(channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A depthwise convolution without bias, padded to keep the spatial size."""
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )


PoolKind = Literal["max", "avg"]


class Zero(nn.Module):
    """`none`: the absent edge, y = 0 · x[..., ::stride, ::stride]."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class RandomNoise(RandomModule):
    """`noise`: fresh N(0, 1) numbers of the output's shape; the input has no effect.

    They are drawn in every forward pass, also in evaluation. With stride 2 the output has every
    second row and column. Source: the space S4 of Zela et al. (arXiv 1909.09656, §3).

    >>> RandomNoise(2)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 4, 4])
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        shape = x[:, :, :: self.stride, :: self.stride].shape
        return draw_normal(shape, self.generator).to(x.device, x.dtype, non_blocking=True)


class Pool(Chained):
    """`max_pool_3x3` and `avg_pool_3x3`; the average excludes padding.

    >>> Pool("avg", 4, 2, normalised=False)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 4, 4])

    Args:
        normalised: Whether a batch norm without affine parameters follows, as in a supernet.
    """

    def __init__(self, kind: PoolKind, channels: int, stride: int, normalised: bool) -> None:
        super().__init__()
        self.stride = stride
        self.pool = (
            nn.MaxPool2d(3, stride, padding=1)
            if kind == "max"
            else nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        )
        self.norm = nn.BatchNorm2d(channels, affine=False) if normalised else nn.Identity()

    def layered(self, x: Tensor) -> Tensor:
        return self.norm(self.pool(x))

    def forward(self, x: Tensor, mask: Tensor | None = None, add: Tensor | None = None) -> Tensor:
        """mask · pool(x) + add; see `Chained`."""
        if isinstance(self.norm, nn.Identity) and takes_pool(self.pool, x):
            maximum = isinstance(self.pool, nn.MaxPool2d)
            return run_pool(x, stride=self.stride, maximum=maximum, mask=mask, add=add)
        return super().forward(x, mask, add)


class ReluConvBn(Chained):
    """ReLU, 1x1 convolution and batch norm: maps a cell's input to the cell's channels.

    >>> ReluConvBn(3, 8, affine=True)(torch.ones(2, 3, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = pointwise(c_in, c_out)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        return (ChainStage(self.norm, (self.conv,)),)

    def layered(self, x: Tensor) -> Tensor:
        return self.after_relu(self.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """`forward` for an x that is already after the ReLU."""
        return self.norm(self.conv(x))


class NormalConv(Chained):
    """`nor_conv_1x1` and `nor_conv_3x3` of NAS-Bench-201, dense: y = BN(conv(ReLU(x))).

    >>> NormalConv(4, 3, 2, affine=True)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 4, 4])
    """

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        return (ChainStage(self.norm, (self.conv,)),)

    def layered(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.relu(x)))


class FactorizedReduce(Chained):
    """Halves height and width with two 1x1 convolutions that read complementary pixels.

        y = BN([W1 · ReLU(x)[..., ::2, ::2],  W2 · ReLU(x)[..., 1::2, 1::2]])

    Each convolution computes half of the output channels.

    >>> FactorizedReduce(4, 8, affine=True)(torch.ones(2, 4, 8, 8)).shape
    torch.Size([2, 8, 4, 4])

    Raises:
        ChannelError: c_out is odd.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        super().__init__()
        if c_out % 2:
            raise ChannelError(
                f"A factorised reduction needs an even number of output channels, not {c_out}; "
                "choose the number of channels such that its parts are even."
            )
        self.relu = nn.ReLU()
        self.conv1 = pointwise(c_in, c_out // 2)
        self.conv2 = pointwise(c_in, c_out // 2)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        return (ChainStage(self.norm, (self.conv1, self.conv2)),)

    def layered(self, x: Tensor) -> Tensor:
        return self.after_relu(self.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """`forward` for an x that is already after the ReLU."""
        # Subsample before the convolutions, so that each one copies only a quarter of the pixels.
        upper, lower = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
        return self.norm(torch.cat([self.conv1(upper), self.conv2(lower)], dim=1))


class SeparableConv(Chained):
    """`sep_conv_kxk`: ReLU, depthwise, pointwise and batch norm, twice; the first has the stride.

    >>> SeparableConv(4, 3, 2, affine=True)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 4, 4])
    """

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise1 = depthwise(channels, kernel, stride)
        self.pointwise1 = pointwise(channels, channels)
        self.norm1 = nn.BatchNorm2d(channels, affine=affine)
        self.depthwise2 = depthwise(channels, kernel)
        self.pointwise2 = pointwise(channels, channels)
        self.norm2 = nn.BatchNorm2d(channels, affine=affine)

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        return (
            ChainStage(self.norm1, (self.depthwise1, self.pointwise1)),
            ChainStage(self.norm2, (self.depthwise2, self.pointwise2)),
        )

    def layered(self, x: Tensor) -> Tensor:
        x = self.norm1(self.pointwise1(self.depthwise1(self.relu(x))))
        return self.norm2(self.pointwise2(self.depthwise2(self.relu(x))))


class DilatedConv(Chained):
    """`dil_conv_kxk`: ReLU, depthwise with dilation 2, pointwise and batch norm.

    >>> DilatedConv(4, 3, 1, affine=True)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 8, 8])
    """

    def __init__(self, channels: int, kernel: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.depthwise = depthwise(channels, kernel, stride, dilation=2)
        self.pointwise = pointwise(channels, channels)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    @property
    def stages(self) -> tuple[ChainStage, ...]:
        return (ChainStage(self.norm, (self.depthwise, self.pointwise)),)

    def layered(self, x: Tensor) -> Tensor:
        return self.norm(self.pointwise(self.depthwise(self.relu(x))))


class FactorizedConv7(nn.Module):
    """`conv_7x1_1x7` of AmoebaNet: ReLU, full 1x7 and 7x1 convolutions, batch norm."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1x7 = nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False)
        self.conv7x1 = nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv7x1(self.conv1x7(self.relu(x))))
