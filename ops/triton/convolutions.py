"""The convolutions of a cell: PyTorch's, with dense kernels that are merged for a cell at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.fused.branches import FactorizedReduceFan, SeparableFan

# The second convolution of a separable one has E groups of channels. As a dense convolution with a
# block-diagonal kernel it has E times the arithmetic, but it can use tensor cores, which small
# groups cannot. This limit on E·C is an estimate, not a measurement.
DIAGONAL_UP_TO = 64

Fan = SeparableFan | FactorizedReduceFan


@dataclass(frozen=True)
class ConvolutionSettings:
    """All settings of a convolution except its kernel; calling it convolves."""

    stride: int
    padding: int
    dilation: int
    groups: int

    def __call__(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Compute the convolution without autograd; the result is channels_last."""
        result = torch.ops.aten.convolution(x, kernel, None, *self._settings())
        return result.contiguous(memory_format=torch.channels_last)

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of x and of the kernel. Only the gradient of the kernel reads x."""
        d_x, d_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, x, kernel, None, *self._settings(), [*wanted, False]
        )
        if wanted[0]:
            d_x = d_x.contiguous(memory_format=torch.channels_last)
        return d_x if wanted[0] else None, d_kernel if wanted[1] else None

    def _settings(self) -> tuple:
        twice = [[value, value] for value in (self.stride, self.padding, self.dilation)]
        return (*twice, False, [0, 0], self.groups)


def settings_of(fan: Fan) -> ConvolutionSettings:
    """The settings of a convolution with the kernel that `dense_kernels` computes."""
    if isinstance(fan, FactorizedReduceFan):
        return ConvolutionSettings(2, 0, 1, 1)
    conv = fan.depthwise
    return ConvolutionSettings(
        conv.stride[0], int(conv.padding[0]), conv.dilation[0], 1 if _joint(fan) else fan.edges
    )


def _joint(fan: SeparableFan) -> bool:
    return fan.shared or fan.edges * fan.channels <= DIAGONAL_UP_TO


def dense_kernels(fans: Sequence[Fan], dtype: torch.dtype) -> list[Tensor]:
    """A dense kernel (channels_last) for each convolution; gradients flow to its parameters.

    All products of depthwise and pointwise kernels of one size are computed at once. A cell has
    about thirty of them; each is so small that the launch would cost more than the product.
    """
    made: dict[int, Tensor] = {}
    groups: dict[tuple[int, int], list[SeparableFan]] = {}
    for fan in fans:
        if isinstance(fan, FactorizedReduceFan):
            kernel = fan.merged_kernel().to(dtype)
            made[id(fan)] = kernel.contiguous(memory_format=torch.channels_last)
        else:
            groups.setdefault((fan.channels, fan.depthwise.kernel_size[0]), []).append(fan)
    for (channels, size), group in groups.items():
        depthwise = torch.cat([fan.depthwise.weight for fan in group])
        depthwise = depthwise.reshape(-1, channels, size * size).transpose(1, 2).contiguous()
        pointwise = torch.cat([fan.pointwise.weight for fan in group])
        pointwise = pointwise.reshape(-1, channels, channels)
        # [edges of all fans, out, pixel, in]: the memory order of channels_last kernels.
        product = (pointwise.unsqueeze(2) * depthwise.unsqueeze(1)).to(dtype)
        parts = product.split([fan.edges for fan in group])
        for fan, part in zip(group, parts, strict=True):
            made[id(fan)] = _as_kernel(part, size, diagonal=not fan.shared and _joint(fan))
    return [made[id(fan)] for fan in fans]


def _as_kernel(product: Tensor, size: int, *, diagonal: bool) -> Tensor:
    """`[E, out, pixels, in]` as `[E·out, in, size, size]`, or `[E·out, E·in, …]` if `diagonal`."""
    edges, channels = product.shape[:2]
    if diagonal and edges > 1:
        product = torch.diag_embed(product.permute(1, 2, 3, 0), dim1=0, dim2=3)
    return product.reshape(edges * channels, size, size, -1).permute(0, 3, 1, 2)
