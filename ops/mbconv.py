"""The blocks of EfficientNet and FBNetV3: inverted residuals (MBConv) and two heads.

Sources: MBConv as in MobileNetV2 (arXiv 1801.04381) with squeeze-excitation, from the code of
EfficientNet (tensorflow/tpu, models/official/efficientnet) and of FBNetV3 (mobile-vision,
mobile_cv/arch/fbnet_v2); MBPool is the last stage of MobileNetV3 (arXiv 1905.02244).
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

Activation = Literal["swish", "hard-swish", "relu"]
Gate = Literal["sigmoid", "hard-sigmoid"]
# symmetric: as much on every side, as PyTorch does; same: TensorFlow's, see `SameConv2d`.
Padding = Literal["symmetric", "same"]

_ACTIVATIONS: Mapping[Activation, type[nn.Module]] = MappingProxyType(
    {"swish": nn.SiLU, "hard-swish": nn.Hardswish, "relu": nn.ReLU}
)
_GATES: Mapping[Gate, type[nn.Module]] = MappingProxyType(
    {"sigmoid": nn.Sigmoid, "hard-sigmoid": nn.Hardsigmoid}
)


@dataclass(frozen=True, kw_only=True)
class LayerStyle:
    """What all layers of one network have in common.

    Attributes:
        activation: After norms, and inside squeeze-excitation.
        gate: At the end of squeeze-excitation.
        padding: What is put around an image before a strided convolution.
        norm_momentum: Of batch norms, as torch means it: the share of the new batch.
        norm_eps: Of batch norms.
    """

    activation: Activation = "swish"
    gate: Gate = "sigmoid"
    padding: Padding = "symmetric"
    norm_momentum: float = 0.01
    norm_eps: float = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow's "SAME" does.

    The output has ceil(size / stride) pixels; what must be added for that is split evenly, and an
    odd pixel goes below and to the right. With stride 2 on an even size the kernel so stands one
    pixel further down and right than with symmetric padding.
    """

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = map(self._padded, (0, 1), x.shape[-2:])
        return super().forward(functional.pad(x, (left, right, top, bottom)))

    def _padded(self, axis: int, size: int) -> tuple[int, int]:
        stride, kernel = self.stride[axis], self.kernel_size[axis]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class MobileConv(nn.Module):
    """Convolution, norm, and the style's activation unless it is left out.

    Args:
        kernel: Side of the kernel; odd.
        padding: Pixels on every side; by default the style's padding, which keeps the image size.
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
    """1x1 expansion, depthwise convolution, squeeze-excitation, 1x1 projection, and a skip.

    The input is added where shapes agree: equal channels and stride 1. No activation follows the
    projection.

    Args:
        inner: Channels of the depthwise convolution; where they are c_in, nothing expands.
        kernel: Side of the depthwise kernel.
        squeezed: Channels of the squeeze-excitation; 0: none.
        padding: Around the depthwise convolution, if not the style's.
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
        """Args: probability of dropping a sample's branch beside the skip; its random stream."""
        transformed = self.project(self.excite(self.depthwise(self.expand(x))))
        if not self.skips:
            return transformed
        if generator is not None:
            transformed = drop_path(transformed, probability, generator)
        return x + transformed


class ConvHead(nn.Module):
    """EfficientNet's head: 1x1 convolution, norm, activation, mean; `[B, c_out]`."""

    def __init__(self, c_in: int, c_out: int, *, style: LayerStyle) -> None:
        super().__init__()
        self.conv = MobileConv(c_in, c_out, style=style)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean(dim=(2, 3))


class MBPool(nn.Module):
    """FBNetV3's head: 1x1 expansion, mean, then a 1x1 convolution on the one pixel; `[B, c_out]`.

    The last convolution has neither norm nor bias; the style's activation follows it.

    Args:
        inner: Channels that are averaged over the image.
    """

    def __init__(self, c_in: int, c_out: int, *, inner: int, style: LayerStyle) -> None:
        super().__init__()
        self.expand = MobileConv(c_in, inner, style=style)
        self.conv = nn.Conv2d(inner, c_out, 1, bias=False)
        self.activation = _ACTIVATIONS[style.activation]()

    def forward(self, x: Tensor) -> Tensor:
        means = self.expand(x).mean(dim=(2, 3), keepdim=True)
        return self.activation(self.conv(means)).flatten(1)
