"""The blocks of EfficientNet and FBNetV3: inverted residuals (MBConv) and two heads.

Sources: MBConv is the block of MobileNetV2 (arXiv 1801.04381) with squeeze-excitation, as in the
code of EfficientNet (tensorflow/tpu, models/official/efficientnet) and of FBNetV3 (mobile-vision,
mobile_cv/arch/fbnet_v2). MBPool is the last stage of MobileNetV3 (arXiv 1905.02244).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from ops.blocks import SqueezeExcite
from ops.regularize import Noise, drop_path

Activation = Literal["swish", "hard-swish", "relu", "relu6"]
Gate = Literal["sigmoid", "hard-sigmoid"]
# symmetric: equal padding on all sides, as in PyTorch; same: TensorFlow's rule, see `SameConv2d`.
Padding = Literal["symmetric", "same"]

_ACTIVATIONS: Mapping[Activation, type[nn.Module]] = MappingProxyType(
    {"swish": nn.SiLU, "hard-swish": nn.Hardswish, "relu": nn.ReLU, "relu6": nn.ReLU6}
)
_GATES: Mapping[Gate, type[nn.Module]] = MappingProxyType(
    {"sigmoid": nn.Sigmoid, "hard-sigmoid": nn.Hardsigmoid}
)


@dataclass(frozen=True, kw_only=True)
class LayerStyle:
    """Settings that all layers of one network share.

    Attributes:
        activation: The activation after batch norms and inside squeeze-excitation.
        gate: The gate of squeeze-excitation.
        padding: The padding rule of strided convolutions.
        norm_momentum: Momentum of the batch norms in torch's sense: the weight of the new batch.
        norm_eps: Epsilon of the batch norms.
    """

    activation: Activation = "swish"
    gate: Gate = "sigmoid"
    padding: Padding = "symmetric"
    norm_momentum: float = 0.01
    norm_eps: float = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding.

        output size = ceil(size / stride)
        padding     = max((output size - 1) · stride + kernel - size, 0)

    The padding is split evenly; an odd pixel goes to the bottom and the right. With stride 2 and an
    even size, the kernel therefore starts one pixel further down and right than with symmetric
    padding.

    >>> import torch
    >>> SameConv2d(3, 8, 3, stride=2)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = map(self._padded, (0, 1), x.shape[-2:])
        return super().forward(functional.pad(x, (left, right, top, bottom)))

    def _padded(self, axis: int, size: int) -> tuple[int, int]:
        stride, kernel = self.stride[axis], self.kernel_size[axis]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class MobileConv(nn.Module):
    """Convolution, batch norm and the activation of the style.

    >>> import torch
    >>> MobileConv(3, 8, 3, style=LayerStyle(), stride=2)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 4, 4])

    Args:
        kernel: Kernel size; odd.
        padding: Pixels on every side; by default the style's padding, which keeps the spatial size.
        active: Whether the activation follows.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int = 1,
        *,
        style: LayerStyle,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | None = None,
        active: bool = True,
    ) -> None:
        super().__init__()
        if padding is None and style.padding == "same" and stride > 1:
            self.conv: nn.Conv2d = SameConv2d(c_in, c_out, kernel, stride, groups=groups, bias=bias)
        else:
            around = kernel // 2 if padding is None else padding
            self.conv = nn.Conv2d(c_in, c_out, kernel, stride, around, groups=groups, bias=bias)
        self.norm = nn.BatchNorm2d(c_out, eps=style.norm_eps, momentum=style.norm_momentum)
        self.activation = _ACTIVATIONS[style.activation]() if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class MBConv(nn.Module):
    """Inverted residual block: expansion, depthwise convolution, squeeze-excitation, projection.

        y = project(excite(depthwise(expand(x))))  [+ x]

    The input is added if input and output have the same shape (equal channels, stride 1). No
    activation follows the projection. Shapes: `[B, c_in, H, W]` to
    `[B, c_out, ceil(H / stride), ceil(W / stride)]`. Source: arXiv 1801.04381, §3.

    >>> import torch
    >>> block = MBConv(8, 16, inner=32, style=LayerStyle(), stride=2, squeezed=2)
    >>> block(torch.zeros(1, 8, 8, 8)).shape
    torch.Size([1, 16, 4, 4])

    Args:
        inner: Channels of the depthwise convolution. If equal to c_in, there is no expansion.
        kernel: Kernel size of the depthwise convolution.
        squeezed: Channels inside squeeze-excitation; 0 for no squeeze-excitation.
        padding: Padding of the depthwise convolution; by default that of the style.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        inner: int,
        style: LayerStyle,
        kernel: int = 3,
        stride: int = 1,
        squeezed: int = 0,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.expand = nn.Identity() if inner == c_in else MobileConv(c_in, inner, style=style)
        self.depthwise = MobileConv(
            inner, inner, kernel, style=style, stride=stride, groups=inner, padding=padding
        )
        self.excite = (
            SqueezeExcite(inner, squeezed, _ACTIVATIONS[style.activation](), _GATES[style.gate]())
            if squeezed
            else nn.Identity()
        )
        self.project = MobileConv(inner, c_out, style=style, active=False)
        self.skips = c_in == c_out and stride == 1

    def forward(
        self, x: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        """Compute the block.

        Args:
            x: `[B, c_in, H, W]`.
            probability: The probability that the residual branch of a sample is dropped. A block
                without a skip connection drops nothing.
            generator: Source of the dropout masks; None drops nothing.
        """
        transformed = self.project(self.excite(self.depthwise(self.expand(x))))
        if not self.skips:
            return transformed
        if generator is not None:
            transformed = drop_path(transformed, probability, generator)
        return x + transformed


class ConvHead(nn.Module):
    """EfficientNet's head: 1x1 convolution, batch norm, activation and spatial mean.

    >>> import torch
    >>> ConvHead(8, 32, style=LayerStyle())(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 32])
    """

    def __init__(self, c_in: int, c_out: int, *, style: LayerStyle) -> None:
        super().__init__()
        self.conv = MobileConv(c_in, c_out, style=style)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(dim=(2, 3))


class MBPool(nn.Module):
    """FBNetV3's head: 1x1 expansion, spatial mean and a 1x1 convolution on the means.

    The last convolution has neither batch norm nor bias; the activation of the style follows.

    >>> import torch
    >>> MBPool(8, 32, inner=16, style=LayerStyle())(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 32])

    Args:
        inner: Channels of the spatial mean.
    """

    def __init__(self, c_in: int, c_out: int, *, inner: int, style: LayerStyle) -> None:
        super().__init__()
        self.expand = MobileConv(c_in, inner, style=style)
        self.conv = nn.Conv2d(inner, c_out, 1, bias=False)
        self.activation = _ACTIVATIONS[style.activation]()

    def forward(self, x: Tensor) -> Tensor:
        means = self.expand(x).mean(dim=(2, 3), keepdim=True)
        return self.activation(self.conv(means)).flatten(1)
