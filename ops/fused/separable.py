"""Depthwise then pointwise convolution of stride 1 on a CPU; each gradient takes its fastest route.

    y = pointwise(depthwise(x))

With few channels, depthwise kernels on a CPU are several times faster than dense ones, which leave
most of a vector register empty. PyTorch has no such kernels for two of the gradients. The gradient
of the input is computed as a depthwise convolution with the flipped kernel. The gradient of the
kernels uses the merged dense kernel, except for 3x3 windows. The intermediate activation is not
saved but recomputed. Measured with oneDNN on AVX-512, float32, channels_last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Window(NamedTuple):
    """Geometry of the convolutions and the route of their gradients.

    Attributes:
        edges: E, the number of edges.
        padding: Padding of the depthwise convolution.
        dilation: Dilation of the depthwise convolution.
        shared: Whether all edges read the same channels.
        dense: Whether the gradients of the kernels are computed from that of the dense kernel.
    """

    edges: int
    padding: int
    dilation: int
    shared: bool
    dense: bool


def separable(x: Tensor, depthwise: Tensor, pointwise: Tensor, window: Window) -> Tensor:
    """Both convolutions on E edges; they keep the spatial size.

    Shapes: x `[B, C, H, W]` if shared, else `[B, E·C, H, W]`; depthwise `[E·C, 1, k, k]`, pointwise
    `[E·C, C, 1, 1]`; the result is `[B, E·C, H, W]`.

    >>> depthwise, pointwise = torch.ones(6, 1, 3, 3), torch.ones(6, 2, 1, 1)
    >>> separable(torch.ones(1, 2, 4, 4), depthwise, pointwise, Window(3, 1, 1, True, False)).shape
    torch.Size([1, 6, 4, 4])
    """
    result: Tensor = _Separable.apply(x, depthwise, pointwise, window)
    return result


def merged_kernel(depthwise: Tensor, pointwise: Tensor, edges: int) -> Tensor:
    """The dense kernel `[E·C, C, k, k]` that equals both convolutions.

        W[e, o, c] = pointwise[e, o, c] · depthwise[e, c]

    >>> merged_kernel(torch.ones(6, 1, 3, 3), torch.ones(6, 2, 1, 1), 3).shape
    torch.Size([6, 2, 3, 3])
    """
    return (_by_edge(pointwise, edges) * _by_edge(depthwise, edges).transpose(1, 2)).flatten(0, 1)


class _Separable(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, depthwise: Tensor, pointwise: Tensor, window: Window) -> Tensor:
        edges, padding, dilation, shared, _ = window
        channels = pointwise.shape[1]
        if shared and edges > 2 and channels <= 4 and depthwise.shape[-1] == 3:
            # The dense convolution costs less here than copying the input for each edge.
            merged = merged_kernel(depthwise, pointwise, edges)
            return functional.conv2d(x, merged, padding=padding, dilation=dilation)
        inner = _depthwise(_beside(x, window), depthwise, window)
        return functional.conv2d(inner, pointwise, groups=edges)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.window = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, depthwise, pointwise = ctx.saved_tensors
        window: Window = ctx.window
        for_x = for_depthwise = for_pointwise = None
        across = _by_edge(pointwise, window.edges).transpose(1, 2).flatten(0, 1)
        inner = functional.conv2d(gradient, across, groups=window.edges)
        if ctx.needs_input_grad[0]:
            for_x = _depthwise(inner, depthwise.flip(2, 3), window)
            if window.shared:
                for_x = _sum_of_edges(for_x, window.edges)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            arguments = (x, depthwise, pointwise, window)
            if window.dense:
                for_depthwise, for_pointwise = _through_dense(gradient, *arguments)
            else:
                for_depthwise, for_pointwise = _one_by_one(gradient, inner, *arguments)
        return for_x, for_depthwise, for_pointwise, None


def _by_edge(kernel: Tensor, edges: int) -> Tensor:
    return kernel.unflatten(0, (edges, -1))


def _beside(x: Tensor, window: Window) -> Tensor:
    """The inputs of all edges, concatenated along the channels."""
    # `repeat` would lose the channels_last layout.
    return torch.cat([x] * window.edges, dim=1) if window.shared and window.edges > 1 else x


def _sum_of_edges(x: Tensor, edges: int) -> Tensor:
    parts = x.chunk(edges, dim=1)
    if edges == 1:
        return x
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total.add_(part)
    return total


def _depthwise(x: Tensor, kernel: Tensor, window: Window) -> Tensor:
    return functional.conv2d(
        x, kernel, padding=window.padding, dilation=window.dilation, groups=kernel.shape[0]
    )


def _one_by_one(
    gradient: Tensor, inner: Tensor, x: Tensor, depthwise: Tensor, pointwise: Tensor, window: Window
) -> tuple[Tensor, Tensor]:
    """Gradients of both kernels, each by its own convolution.

    `inner` is the gradient of the intermediate activation.
    """
    beside = _beside(x, window)
    between = _depthwise(beside, depthwise, window)
    padding, dilation = window.padding, window.dilation
    return (
        _to_kernel(inner, beside, depthwise, padding, dilation, depthwise.shape[0]),
        _to_kernel(gradient, between, pointwise, 0, 1, window.edges),
    )


def _through_dense(
    gradient: Tensor, x: Tensor, depthwise: Tensor, pointwise: Tensor, window: Window
) -> tuple[Tensor, Tensor]:
    """Gradients of both kernels, computed from the gradient of the dense kernel."""
    edges, padding, dilation, shared, _ = window
    size = depthwise.shape[-1]
    if dilation == 2 and _halves(x) and min(x.shape[2:]) <= 2 * (size - 1):
        # oneDNN is slow if the window is larger than the image; the windows of phases are smaller.
        gradient, x, padding, dilation = _phases(gradient), _phases(x), padding // 2, 1
    # Only the shape of this tensor is used.
    shape = depthwise.new_empty((*pointwise.shape[:2], *depthwise.shape[2:]))
    dense = _by_edge(
        _to_kernel(gradient, x, shape, padding, dilation, 1 if shared else edges), edges
    )
    for_depthwise = (dense * _by_edge(pointwise, edges)).sum(1)
    parts = _by_edge(depthwise, edges).transpose(1, 2)
    for_pointwise = (dense * parts).sum((3, 4), keepdim=True)
    return for_depthwise.flatten(0, 1).unsqueeze(1), for_pointwise.flatten(0, 1)


def _halves(x: Tensor) -> bool:
    return x.shape[2] % 2 == x.shape[3] % 2 == 0


def _phases(x: Tensor) -> Tensor:
    """Even and odd pixels of each axis as separate images `[4·B, C, H/2, W/2]`.

    A convolution with dilation 2 never mixes them.
    """
    rows = x.permute(0, 2, 3, 1).unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
    return rows.permute(2, 4, 0, 1, 3, 5).flatten(0, 2).permute(0, 3, 1, 2)


def _to_kernel(
    gradient: Tensor, x: Tensor, kernel: Tensor, padding: int, dilation: int, groups: int
) -> Tensor:
    """The gradient of a convolution's kernel."""
    result: Tensor = torch.ops.aten.convolution_backward(
        gradient,
        x,
        kernel,
        None,
        [1, 1],
        [padding, padding],
        [dilation, dilation],
        False,
        [0, 0],
        groups,
        [False, True, False],
    )[1]
    return result
