"""Batch norm of few channels on a CPU, computed on groups of neighbouring pixels.

The kernels of PyTorch 2.13 loop over channels_last images pixel by pixel. With few channels, most
of their time is loop overhead. Here P neighbouring pixels of C channels are treated as one pixel of
P·C channels. The statistics of the P copies of each channel are merged afterwards.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ops.fused.cpu import on_plain_cpu

# Channels of a widened pixel, and the number of pixels in a batch above which this is faster.
# Measured in float32 with AVX-512 on one core.
ROW = 256
FROM = 2**15


def wide_norm(
    x: Tensor,
    weights: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Tensor:
    """`functional.batch_norm` in training mode without bias, for inputs that pass `suits_rows`.

    Shapes: x `[B, C, H, W]`; weights `[C]`, or None for 1. The running statistics are updated.

    >>> x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    >>> y = wide_norm(x, None, torch.zeros(4), torch.ones(4), 0.1, 1e-5)
    >>> torch.allclose(y, torch.nn.functional.batch_norm(x, None, None, training=True), atol=1e-5)
    True
    """
    result, mean, variance = _WideNorm.apply(x, weights, eps)
    count = x.numel() // x.shape[1]
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    return result


def suits_rows(x: Tensor, running_mean: Tensor) -> bool:
    """Whether `wide_norm` can compute x and is faster: a large channels_last batch on the CPU."""
    return (
        x.numel() >= FROM * x.shape[1]
        and x.dtype == running_mean.dtype
        and x.dtype in (torch.float32, torch.float64)
        and _pixels(x) > 1
        and x.is_contiguous(memory_format=torch.channels_last)
        and on_plain_cpu(x)
    )


class _WideNorm(torch.autograd.Function):
    """The normalised and weighted images, the mean and the biased variance."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor | None, eps: float) -> tuple[Tensor, ...]:
        pixels = _pixels(x)
        means, variances = torch.batch_norm_update_stats(_wide(x, pixels), None, None, 0.0)
        between, mean = torch.var_mean(means.view(pixels, -1), 0, correction=0)
        variance = variances.view(pixels, -1).mean(0).add_(between)
        inverse = (variance + eps).rsqrt_()
        scale = inverse if weights is None else inverse * weights
        table = _repeated((scale, -mean * scale, mean, variance), pixels)
        result = torch.empty_like(x)
        torch.addcmul(table[1], _rows(x, pixels), table[0], out=_rows(result, pixels))
        ctx.save_for_backward(x, scale, inverse, table)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        return result, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, scale, inverse, table = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        pixels, count = _pixels(x), x.numel() // x.shape[1]
        # The eval-mode backward is called only for its two sums: sum(g · normalised x), sum(g).
        sums = torch.ops.aten.native_batch_norm_backward(
            _wide(gradient, pixels),
            _wide(x, pixels),
            None,
            table[2],
            table[3],
            None,
            None,
            False,
            ctx.eps,
            [False, True, True],
        )
        slope, level = (part.view(pixels, -1).sum(0) for part in sums[1:])
        for_x = None
        if ctx.needs_input_grad[0]:
            # scale · (gradient - level / n - normalised x · slope / n), in two passes.
            share = scale / -count
            bend, shift = _repeated((share * inverse * slope, share * level), pixels)
            for_x = torch.empty_like(x)
            rows = _rows(for_x, pixels)
            torch.addcmul(
                shift.addcmul_(bend, table[2], value=-1),
                _rows(gradient, pixels),
                table[0],
                out=rows,
            )
            rows.addcmul_(_rows(x, pixels), bend)
        return for_x, slope if ctx.needs_input_grad[1] else None, None


def _repeated(vectors: tuple[Tensor, ...], pixels: int) -> Tensor:
    """One row `[P·C]` for each vector `[C]`, with one copy per pixel."""
    return torch.stack(vectors).unsqueeze(1).expand(-1, pixels, -1).flatten(1)


def _pixels(x: Tensor) -> int:
    """P, a power of two: the number of neighbouring pixels that form a row; fewer than H·W."""
    _, channels, height, width = x.shape
    size = height * width
    pixels = math.gcd(size, 2 ** int(math.log2(max(1, ROW / channels))))
    return pixels if pixels < size else max(1, pixels // 2)


def _rows(x: Tensor, pixels: int) -> Tensor:
    """View of channels_last images as a matrix `[B·H·W / P, P·C]`."""
    return x.permute(0, 2, 3, 1).view(-1, pixels * x.shape[1])


def _wide(x: Tensor, pixels: int) -> Tensor:
    """View of channels_last images as channels_last images `[B, P·C, H·W / P, 1]`."""
    rows = x.permute(0, 2, 3, 1).view(len(x), -1, pixels * x.shape[1])
    return rows.transpose(1, 2).unsqueeze(3)
