"""The convolutions of a cell: dense kernels for PyTorch's own, merged a whole cell at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.fused.branches import FactorizedReduceFan, SeparableFan

# The second convolutions of separable ones read E groups of channels. Written as one dense
# convolution whose kernel is zero off the diagonal they cost E times the arithmetic, but run on
# tensor cores, which small groups do not. Up to so many channels; a guess, not measured.
DIAGONAL_UP_TO = 64

Fan = SeparableFan | FactorizedReduceFan


@dataclass(frozen=True)
class Window:
    """What a convolution is besides its kernel."""

    stride: int
    padding: int
    dilation: int
    groups: int

    def __call__(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The convolution, channels_last, outside of autograd."""
        result = torch.ops.aten.convolution(x, kernel, None, *self._settings())
        return result.contiguous(memory_format=torch.channels_last)

    def backward(
        self, gradient: Tensor, x: Tensor, kernel: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of x and of the kernel. Only the latter reads the values of x."""
        d_x, d_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, x, kernel, None, *self._settings(), [*wanted, False]
        )
        if wanted[0]:
            d_x = d_x.contiguous(memory_format=torch.channels_last)
        return d_x if wanted[0] else None, d_kernel if wanted[1] else None

    def _settings(self) -> tuple:
        twice = [[value, value] for value in (self.stride, self.padding, self.dilation)]
        return (*twice, False, [0, 0], self.groups)


def window_of(fan: Fan) -> Window:
    """How the kernel that `dense_kernels` makes for a convolution is to be used."""
    if isinstance(fan, FactorizedReduceFan):
        return Window(2, 0, 1, 1)
    conv = fan.depthwise
    return Window(
        conv.stride[0], int(conv.padding[0]), conv.dilation[0], 1 if _joint(fan) else fan.edges
    )


def _joint(fan: SeparableFan) -> bool:
    return fan.shared or fan.edges * fan.channels <= DIAGONAL_UP_TO


def dense_kernels(fans: Sequence[Fan], dtype: torch.dtype) -> list[Tensor]:
    """A dense kernel, channels_last, for each convolution; gradients flow to its parameters.

    Depthwise times pointwise kernels of one size are multiplied all at once: a cell has some thirty
    of them, each as small as a kernel launch is dear.
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
        # [edges of all, out, pixel, in]: the order in memory of channels_last kernels.
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
