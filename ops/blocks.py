"""The blocks of AnyNet: residual bottlenecks (X, Y, R) and plain 3x3 convolutions (V, VR).

Source: RegNet (arXiv 2003.13678, §3.2, §3.4 and appendix D) and its code pycls; bottleneck and
stride as in ResNet 1.5 (the 3x3 convolution strides), squeeze-excitation as in arXiv 1709.01507.
Convolutions are free of biases except in squeeze-excitation. Every block maps `[B, c_in, H, W]`
to `[B, c_out, ceil(H / stride), ceil(W / stride)]`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ops.regularize import Noise, drop_path


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride, which takes the pixels that count before it multiplies.

    With fewer than 16 channels in channels_last, the backward pass of torch 2.13's own ends in a
    segmentation fault on some CPUs.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, right = self.stride
        return functional.conv2d(x[:, :, ::down, ::right], self.weight, groups=self.groups)


class ConvNorm(nn.Module):
    """Convolution padded to keep the image size, norm, and a ReLU where asked.

    Args:
        kernel: Side of the kernel; odd.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        relu: bool = False,
    ) -> None:
        super().__init__()
        make = StridedPointwise if kernel == 1 and stride > 1 else nn.Conv2d
        self.conv = make(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate in (0, 1) computed from the means of all channels.

    Mean over the image, 1x1 convolution to `squeezed` channels, activation, 1x1 convolution back,
    gate; both convolutions with biases.

    Args:
        activation: By default a ReLU.
        gate: What maps numbers to (0, 1); by default a sigmoid.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: nn.Module | None = None,
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = activation or nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate or nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * self.gate(self.expand(self.activation(self.reduce(means))))


class Residual(nn.Module):
    """A block with a shortcut: ReLU(transform(x) + shortcut(x)).

    The shortcut is the identity where the shapes agree, else a strided 1x1 convolution and a norm.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        same = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if same else ConvNorm(c_in, c_out, stride=stride)
        self.relu = nn.ReLU(inplace=True)

    def transform(self, x: Tensor) -> Tensor:
        """The branch beside the shortcut, without its last ReLU."""
        raise NotImplementedError

    def forward(
        self, x: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        """Args: probability of dropping the transform of a sample; its random stream."""
        transformed = self.transform(x)
        if generator is not None:
            transformed = drop_path(transformed, probability, generator)
        return self.relu(transformed + self.shortcut(x))


class ResidualBottleneck(Residual):
    """1x1, 3x3 in groups, 1x1 convolution: block X; Y with squeeze-excitation; R with one group.

    Args:
        inner: Channels of the 3x3 convolution, w_b.
        groups: Groups of the 3x3 convolution: inner / group width.
        squeezed: Channels of the squeeze-excitation after the 3x3 convolution's ReLU; 0: none.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        inner: int,
        stride: int = 1,
        groups: int = 1,
        squeezed: int = 0,
    ) -> None:
        super().__init__(c_in, c_out, stride)
        self.reduce = ConvNorm(c_in, inner, relu=True)
        self.spatial = ConvNorm(inner, inner, 3, stride=stride, groups=groups, relu=True)
        self.excite = SqueezeExcite(inner, squeezed) if squeezed else nn.Identity()
        self.expand = ConvNorm(inner, c_out)

    def transform(self, x: Tensor) -> Tensor:
        return self.expand(self.excite(self.spatial(self.reduce(x))))


class ResidualConv(Residual):
    """One 3x3 convolution and a norm beside a shortcut: block VR."""

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, stride)
        self.spatial = ConvNorm(c_in, c_out, 3, stride=stride)

    def transform(self, x: Tensor) -> Tensor:
        return self.spatial(x)


class VanillaConv(ConvNorm):
    """One 3x3 convolution, norm, ReLU: block V. It has no branch to drop."""

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, 3, stride=stride, relu=True)

    def forward(
        self, x: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        return super().forward(x)
