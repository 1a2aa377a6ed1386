"""All candidate operations on all edges that leave one node, fused.

The edges that leave a node read the same channels. So what has no parameters (the ReLU, pooling
with its affine-free normalisation, the identity) is computed once, and the convolutions of all
edges run as one convolution with E times the outputs. The numbers are those of the literal
edge-by-edge form, in another order; `tests/reference` holds that form.

Edges lie side by side in the channel dimension: channel e·C + c is channel c of edge e.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ops.fused.cpu import on_plain_cpu
from ops.fused.mixed_norm import WeightedNorm
from ops.fused.separable import Window, merged_kernel, separable
from ops.native.kernels import Lanes, choose_lanes
from ops.primitives import create_operation

# A depthwise convolution directly followed by a pointwise one equals one dense convolution. Dense
# costs more multiply-adds and less memory traffic, which decides as long as channels are few, apart
# from convolutions of stride 1 on a CPU (ops/fused/separable.py), where only the kernels'
# gradients are dense. Limits by measurement on 2 CPU cores, channels_last: benchmarks/lowering.py.
DENSE_UP_TO = 16
GROUPED_DENSE_UP_TO = 8


class SeparableFan(nn.Module):
    """Depthwise then pointwise convolution on E edges, without the ReLU before and the norm after.

    Shapes: x `[B, C, H, W]` if `shared` (every edge reads the same input), else `[B, E·C, H, W]`;
    the result is `[B, E·C, H', W']`.
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
        """The product of both kernels, `[E·C, C, k, k]`: W[e, o, c] = pointwise · depthwise."""
        return merged_kernel(self.depthwise.weight, self.pointwise.weight, self.edges)

    def forward(self, x: Tensor) -> Tensor:
        stride, padding, dilation = self.steps
        if stride == dilation == 2:
            # Every pixel that the windows see has even coordinates.
            x, stride, padding, dilation = x[:, :, ::2, ::2], 1, padding // 2, 1
        if stride == 1 and on_plain_cpu(x):
            dense = self.dense and (self.shared or self.kernel > 3)
            window = Window(self.edges, padding, dilation, self.shared, dense)
            return separable(x, self.depthwise.weight, self.pointwise.weight, window)
        if self.dense:
            groups = 1 if self.shared else self.edges
            return functional.conv2d(
                x, self.merged_kernel(), None, stride, padding, dilation, groups
            )
        if self.shared:
            x = x.repeat(1, self.edges, 1, 1)
        width = self.edges * self.channels
        inner = functional.conv2d(x, self.depthwise.weight, None, stride, padding, dilation, width)
        return self.pointwise(inner)


class SeparableConvFan(nn.Module):
    """`SeparableConv` on E edges: two separable convolutions, each normalised."""

    def __init__(self, channels: int, edges: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = SeparableFan(channels, edges, kernel, stride, 1, shared=True)
        self.norm1 = WeightedNorm(edges * channels)
        self.second = SeparableFan(channels, edges, kernel, 1, 1, shared=False)
        self.norm2 = WeightedNorm(edges * channels)

    def forward(self, activated: Tensor, weights: Tensor) -> Tensor:
        inner = functional.relu(self.norm1(self.first(activated)), inplace=True)
        return self.norm2(self.second(inner), weights)


class DilatedConvFan(nn.Module):
    """`DilatedConv` on E edges."""

    def __init__(self, channels: int, edges: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = SeparableFan(channels, edges, kernel, stride, 2, shared=True)
        self.norm = WeightedNorm(edges * channels)

    def forward(self, activated: Tensor, weights: Tensor) -> Tensor:
        return self.norm(self.conv(activated), weights)


class FactorizedReduceFan(nn.Module):
    """`FactorizedReduce` on E edges, as one convolution.

    Two 1x1 convolutions of stride 2, the second reading its input shifted by one pixel, are the
    corners (0, 0) and (1, 1) of a 2x2 kernel of stride 2.
    """

    def __init__(self, channels: int, edges: int) -> None:
        super().__init__()
        self.edges, self.part = edges, channels // 2
        self.conv1 = nn.Conv2d(channels, edges * self.part, 1, stride=2, bias=False)
        self.conv2 = nn.Conv2d(channels, edges * self.part, 1, stride=2, bias=False)
        self.norm = WeightedNorm(edges * channels)

    def merged_kernel(self) -> Tensor:
        """Both kernels as one, `[E·C, C, 2, 2]`, the halves of each edge one after the other."""
        upper = functional.pad(self.conv1.weight, (0, 1, 0, 1))
        lower = functional.pad(self.conv2.weight, (1, 0, 1, 0))
        halves = [kernel.unflatten(0, (self.edges, self.part)) for kernel in (upper, lower)]
        return torch.cat(halves, dim=1).flatten(0, 1)

    def forward(self, activated: Tensor, weights: Tensor) -> Tensor:
        return self.norm(functional.conv2d(activated, self.merged_kernel(), stride=2), weights)


class SeparateEdges(nn.Module):
    """Any other operation: one module an edge, so that a new one needs no fused form."""

    def __init__(self, name: str, channels: int, edges: int, stride: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            create_operation(name, channels, stride, affine=False, normalised=True)
            for _ in range(edges)
        )

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        parts = weights.view(len(self.edges), -1).unbind()
        return torch.cat(
            [edge(x) * w.view(1, -1, 1, 1) for edge, w in zip(self.edges, parts, strict=True)], 1
        )


class SharedPool(nn.Module):
    """3x3 pooling and its normalisation, the same for every edge: computed once."""

    def __init__(self, kind: str, channels: int, stride: int) -> None:
        super().__init__()
        self.kind, self.stride = kind, stride
        self.norm = WeightedNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "max":
            return self.norm(functional.max_pool2d(x, 3, self.stride, padding=1))
        return self.norm(_average(x, self.stride))


def _average(x: Tensor, stride: int) -> Tensor:
    """The average of 3x3 pixels; padding does not count."""
    if not on_plain_cpu(x):
        return functional.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
    # With few channels pooling kernels go through them one by one, depthwise ones through many.
    window = x.new_ones(x.shape[1], 1, 3, 3)
    with torch.no_grad():
        counts = functional.conv2d(torch.ones_like(x[:1]), window, None, stride, 1, 1, len(window))
    return functional.conv2d(x, window, None, stride, 1, 1, len(window)) * counts.reciprocal()


_RECTIFIED = {"sep_conv": SeparableConvFan, "dil_conv": DilatedConvFan}


class FanOut(nn.Module):
    """The mixed operations of all edges that leave one node.

    Args:
        operations: Names of the candidates, in the order of alpha's columns.
        channels: C/K, the channels that a mixed operation sees.
        edges: E, the number of edges that leave the node.
        stride: 1, or 2 where the edges reduce.

    Shapes: x `[B, C/K, H, W]`, weights `[E, O]`; the result is one `[B, C/K, H', W']` an edge.
    """

    def __init__(self, operations: Sequence[str], channels: int, edges: int, stride: int) -> None:
        super().__init__()
        self.channels, self.edges, self.stride = channels, edges, stride
        self.columns = {name: column for column, name in enumerate(operations)}
        self.shared = nn.ModuleDict()
        self.rectified = nn.ModuleDict()
        self.separate = nn.ModuleDict()
        for name in operations:
            family, _, size = name.rpartition("_")
            if name == "none" or (name == "skip_connect" and stride == 1):
                continue
            if name in ("max_pool_3x3", "avg_pool_3x3"):
                self.shared[name] = SharedPool(name[:3], channels, stride)
            elif name == "skip_connect":
                self.rectified[name] = FactorizedReduceFan(channels, edges)
            elif family in _RECTIFIED:
                kernel = int(size.split("x")[0])
                self.rectified[name] = _RECTIFIED[family](channels, edges, kernel, stride)
            else:
                self.separate[name] = SeparateEdges(name, channels, edges, stride)
        self.identity = stride == 1 and "skip_connect" in operations

    def _spread(self, x: Tensor, weights: Tensor) -> Tensor | None:
        """Sum of the branches that all edges share, each weighted for each edge: one product."""
        names = list(self.shared)
        branches = [self.shared[name](x) for name in names]
        if self.identity:
            names.append("skip_connect")
            branches.append(x)
        if not branches:
            return None
        # Not `weights[:, [...]]`: a list would be copied to the device, which waits for it.
        chosen = torch.stack([weights[:, self.columns[name]] for name in names])
        unit = torch.eye(self.channels, dtype=x.dtype, device=x.device)
        # [S·C, E·C]: branch s, channel c feeds channel c of edge e with weight chosen[s, e].
        matrix = (chosen[:, None, :, None] * unit[None, :, None, :]).flatten(2).flatten(0, 1)
        stacked = torch.cat(branches, dim=1).permute(0, 2, 3, 1)
        return (stacked @ matrix).permute(0, 3, 1, 2)

    def forward(self, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        activated = functional.relu(x) if len(self.rectified) else x
        total: Tensor | None = None
        for group, source in ((self.rectified, activated), (self.separate, x)):
            total = self._add(group, source, weights, total)
        # Last, because it is a view, and what is added to a view in place costs autograd a copy.
        spread = self._spread(x, weights)
        if spread is not None:
            total = spread if total is None else total.add_(spread)
        if total is None:
            raise ValueError("A mixed operation needs a candidate besides 'none'.")
        return total.split(self.channels, dim=1)

    @property
    def lanes(self) -> Lanes:
        """How the native kernels lay out the channels of all edges."""
        return choose_lanes(self.channels, self.edges)

    def mix_separate(self, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        """The part of the mixtures that has no fused form; there must be one."""
        total = self._add(self.separate, x, weights, None)
        assert total is not None
        return total.split(self.channels, dim=1)

    def _add(
        self, group: nn.ModuleDict, x: Tensor, weights: Tensor, total: Tensor | None
    ) -> Tensor | None:
        per_channel = weights.t().repeat_interleave(self.channels, dim=1)
        for name, branch in group.items():
            mixed = branch(x, per_channel[self.columns[name]])
            total = mixed if total is None else total.add_(mixed)
        return total
