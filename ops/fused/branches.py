"""Fused forms of the candidate operations: one module for all edges that leave a state.

Edges are concatenated along the channels: channel e·C + c is channel c of edge e. The numbers are
those of one module per edge in another order; `tests/reference` has that literal form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.cpu import on_plain_cpu
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.separable import Window, merged_kernel, separable
from ops.fused.slices import take_edges
from ops.partial import ChannelError
from ops.regularize import RandomModule, dropout

# A depthwise convolution directly followed by a pointwise one equals one dense convolution. The
# dense form has more multiply-adds but less memory traffic, so it is faster with few channels.
# Convolutions of stride 1 on a CPU are the exception: there only the gradients of the kernels use
# the dense form (ops/fused/separable.py). The limits were measured on 2 CPU cores, channels_last,
# with benchmarks/lowering.py.
DENSE_UP_TO = 16
GROUPED_DENSE_UP_TO = 8


class FusedForm(nn.Module):
    """Base class: an operation on all E edges that leave a state and have it as a candidate.

    Attributes:
        group: The group of a fan-out that holds it. "shared" forms compute the same for every edge:
            x `[B, C, H, W]` to `[B, C, H', W']`. "rectified" forms have weights per edge: they map
            the state after its ReLU `[B, C, H, W]` and the weight of each channel of each edge
            `[E·C]` to `[B, E·C, H', W']`. A third argument names some of the E edges, in rising
            order; then the weights and the result have only those.
    """

    group: ClassVar[Literal["shared", "rectified"]]


class SeparableFan(nn.Module):
    """Depthwise then pointwise convolution on E edges, without ReLU and batch norm.

    Shapes: x `[B, C, H, W]` if `shared` (all edges read the same input), else `[B, E·C, H, W]`; the
    result is `[B, E·C, H', W']`.

    >>> SeparableFan(4, 3, 3, 2, 1, shared=True)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 12, 4, 4])
    """

    def __init__(
        self, channels: int, edges: int, kernel: int, stride: int, dilation: int, *, shared: bool
    ) -> None:
        super().__init__()
        self.channels, self.edges, self.shared = channels, edges, shared
        padding = dilation * (kernel - 1) // 2
        self.kernel, self.steps = kernel, (stride, padding, dilation)
        self.dense = channels <= (DENSE_UP_TO if shared else GROUPED_DENSE_UP_TO)
        width = edges * channels
        self.depthwise = nn.Conv2d(
            width, width, kernel, stride, padding, dilation, groups=width, bias=False
        )
        self.pointwise = nn.Conv2d(width, width, 1, groups=edges, bias=False)

    def merged_kernel(self) -> Tensor:
        """The dense kernel `[E·C, C, k, k]` that equals both convolutions."""
        return merged_kernel(self.depthwise.weight, self.pointwise.weight, self.edges)

    def forward(self, x: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        stride, padding, dilation = self.steps
        edges = self.edges if chosen is None else len(chosen)
        depthwise = take_edges(self.depthwise.weight, self.edges, chosen)
        pointwise = take_edges(self.pointwise.weight, self.edges, chosen)
        if stride == dilation == 2:
            # The windows read only pixels with even coordinates.
            x, stride, padding, dilation = x[:, :, ::2, ::2], 1, padding // 2, 1
        if stride == 1 and on_plain_cpu(x):
            dense = self.dense and (self.shared or self.kernel > 3)
            window = Window(edges, padding, dilation, self.shared, dense)
            return separable(x, depthwise, pointwise, window)
        if self.dense:
            groups = 1 if self.shared else edges
            kernel = merged_kernel(depthwise, pointwise, edges)
            return functional.conv2d(x, kernel, None, stride, padding, dilation, groups)
        if self.shared:
            x = x.repeat(1, edges, 1, 1)
        width = edges * self.channels
        inner = functional.conv2d(x, depthwise, None, stride, padding, dilation, width)
        return functional.conv2d(inner, pointwise, groups=edges)


class SeparableConvFan(FusedForm):
    """`SeparableConv` on E edges: two separable convolutions, each with its batch norm."""

    group = "rectified"

    def __init__(self, channels: int, edges: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = SeparableFan(channels, edges, kernel, stride, 1, shared=True)
        self.norm1 = WeightedNorm(edges * channels)
        self.second = SeparableFan(channels, edges, kernel, 1, 1, shared=False)
        self.norm2 = WeightedNorm(edges * channels)

    def forward(
        self, activated: Tensor, weights: Tensor, chosen: Sequence[int] | None = None
    ) -> Tensor:
        edges = self.first.edges
        inner = self.norm1(self.first(activated, chosen), None, edges, chosen)
        inner = functional.relu(inner, inplace=True)
        return self.norm2(self.second(inner, chosen), weights, edges, chosen)


class DilatedConvFan(FusedForm):
    """`DilatedConv` on E edges."""

    group = "rectified"

    def __init__(self, channels: int, edges: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = SeparableFan(channels, edges, kernel, stride, 2, shared=True)
        self.norm = WeightedNorm(edges * channels)

    def forward(
        self, activated: Tensor, weights: Tensor, chosen: Sequence[int] | None = None
    ) -> Tensor:
        return self.norm(self.conv(activated, chosen), weights, self.conv.edges, chosen)


class NormalConvFan(FusedForm):
    """`NormalConv` on E edges: one convolution with E times the outputs."""

    group = "rectified"

    def __init__(self, channels: int, edges: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.edges = edges
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(channels, edges * channels, kernel, stride, padding, bias=False)
        self.norm = WeightedNorm(edges * channels)

    def forward(
        self, activated: Tensor, weights: Tensor, chosen: Sequence[int] | None = None
    ) -> Tensor:
        kernel = take_edges(self.conv.weight, self.edges, chosen)
        y = functional.conv2d(activated, kernel, None, self.conv.stride, self.conv.padding)
        return self.norm(y, weights, self.edges, chosen)


class FactorizedReduceFan(FusedForm):
    """`FactorizedReduce` on E edges as one convolution.

    Two 1x1 convolutions with stride 2, of which the second reads the input shifted by one pixel,
    are the corners (0, 0) and (1, 1) of a 2x2 kernel with stride 2.

    Raises:
        ChannelError: The number of channels is odd.
    """

    group = "rectified"

    def __init__(self, channels: int, edges: int) -> None:
        super().__init__()
        if channels % 2:
            raise ChannelError(
                f"A factorised reduction needs an even number of channels, not {channels}; choose "
                "another K or another number of channels."
            )
        self.edges, self.part = edges, channels // 2
        self.conv1 = nn.Conv2d(channels, edges * self.part, 1, stride=2, bias=False)
        self.conv2 = nn.Conv2d(channels, edges * self.part, 1, stride=2, bias=False)
        self.norm = WeightedNorm(edges * channels)

    def merged_kernel(self) -> Tensor:
        """Both kernels as one `[E·C, C, 2, 2]`; each edge has its two halves in order."""
        upper = functional.pad(self.conv1.weight, (0, 1, 0, 1))
        lower = functional.pad(self.conv2.weight, (1, 0, 1, 0))
        halves = [kernel.unflatten(0, (self.edges, self.part)) for kernel in (upper, lower)]
        return torch.cat(halves, dim=1).flatten(0, 1)

    def forward(
        self, activated: Tensor, weights: Tensor, chosen: Sequence[int] | None = None
    ) -> Tensor:
        kernel = take_edges(self.merged_kernel(), self.edges, chosen)
        y = functional.conv2d(activated, kernel, stride=2)
        return self.norm(y, weights, self.edges, chosen)


class DroppedIdentity(RandomModule):
    """The identity with dropout, separately for each edge: y_e = w_e · x · m_e / (1 - rate).

    Shapes: x `[B, C, H, W]` and the weight of each channel of E edges `[E·C]` give
    `[B, E·C, H, W]`. Source: the dropout after skip connections of P-DARTS (arXiv 1904.12760,
    §3.3).

    >>> DroppedIdentity(0.5)(torch.ones(1, 4, 8, 8), torch.ones(12)).shape
    torch.Size([1, 12, 8, 8])

    Attributes:
        rate: The probability that an element is dropped. There is no dropout in evaluation.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor, weights: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        copies = torch.cat([x] * (len(weights) // x.shape[1]), dim=1) * weights.view(1, -1, 1, 1)
        return dropout(copies, self.rate, self.generator) if self.training else copies


class SharedPool(FusedForm):
    """3x3 pooling and its batch norm, computed once for all edges.

    Attributes:
        normalised: False leaves the batch norm out.
    """

    group = "shared"

    def __init__(self, kind: Literal["max", "avg"], channels: int, stride: int) -> None:
        super().__init__()
        self.kind, self.stride = kind, stride
        self.norm, self.normalised = WeightedNorm(channels), True

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "max":
            pooled = functional.max_pool2d(x, 3, self.stride, padding=1)
        else:
            pooled = _average(x, self.stride)
        return self.norm(pooled) if self.normalised else pooled


def _average(x: Tensor, stride: int) -> Tensor:
    """Average pooling over 3x3 windows; the average excludes padding."""
    if not on_plain_cpu(x):
        return functional.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
    # With few channels, a depthwise convolution is faster than the kernel for pooling.
    window = x.new_ones(x.shape[1], 1, 3, 3)
    with torch.no_grad():
        counts = functional.conv2d(torch.ones_like(x[:1]), window, None, stride, 1, 1, len(window))
    return functional.conv2d(x, window, None, stride, 1, 1, len(window)) * counts.reciprocal()
