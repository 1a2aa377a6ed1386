"""Batch norms of several tensors at once: statistics, normalisation and its gradient.

Tensors are `[B, C, H, W]`, channels_last. Means and 1 / standard deviations of many branches are in
one table `[2, columns]`; branches that are passed together use neighbouring columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ops.fused.mixed_norm import WeightedNorm
from ops.triton import norm_kernels

TILE = 2048
"""Numbers that a program processes at a time."""
BLOCKS = 128
"""Maximum number of programs per branch that share the rows of a reduction: about one per SM."""
STEP = 16
"""Columns that are merged at a time when the moments of all blocks are merged."""

Norm = WeightedNorm | torch.nn.BatchNorm2d


def real(dtype: torch.dtype) -> tuple[torch.dtype, Any]:
    """The number type of sums over tensors of `dtype`, for PyTorch and for Triton."""
    if dtype == torch.float64:
        return torch.float64, tl.float64
    return torch.float32, tl.float32


def pixels(images: Tensor) -> int:
    return images.shape[0] * images.shape[2] * images.shape[3]


def lanes_of(columns: int) -> int:
    return triton.next_power_of_2(columns)


def rows_of(lanes: int) -> int:
    """The number of rows that fill a tile with `lanes` columns."""
    return max(1, TILE // lanes)


def blocks_of(rows: int, portion: int) -> int:
    return min(triton.cdiv(rows, portion), BLOCKS)


def measure_norms(
    zs: Sequence[Tensor],
    norms: Sequence[Norm],
    start: int,
    statistics: Tensor,
    training: bool,
) -> None:
    """Compute the statistics of batch norms; in training, update their running statistics.

    Args:
        zs: Inputs of the batch norms, `[B, C, H, W]` with equal B, H and W.
        norms: The batch norms.
        start: The first column of `statistics` to fill.
        statistics: The table `[2, columns]` of means and 1 / standard deviations.
        training: Whether the statistics are those of the batch.
    """
    kind = real(zs[0].dtype)[1]
    rows, table = pixels(zs[0]), statistics.shape[1]
    columns = tuple(z.shape[1] for z in zs)
    offsets = (0, *accumulate(columns[:-1]))
    lanes = tuple(map(lanes_of, columns))
    portion = rows_of(max(lanes))
    blocks = blocks_of(rows, portion)
    moments = statistics
    if training:
        moments = statistics.new_empty((blocks, 2, table))
        norm_kernels.moments_kernel[(blocks, len(zs))](
            tuple(zs),
            moments,
            rows,
            blocks,
            start,
            table,
            COLUMNS=columns,
            LANES=lanes,
            OFFSETS=offsets,
            BRANCHES=len(zs),
            ROWS=portion,
            REAL=kind,
        )
    norm_kernels.statistics_kernel[(len(zs),)](
        moments,
        tuple(norm.running_mean for norm in norms),
        tuple(norm.running_var for norm in norms),
        statistics,
        rows,
        blocks,
        start,
        table,
        COLUMNS=columns,
        OFFSETS=offsets,
        BRANCHES=len(zs),
        TRAINING=training,
        MOMENTUM=norms[0].momentum,
        EPS=norms[0].eps,
        ROWS=portion,
        BLOCKS=triton.next_power_of_2(blocks),
        STEP=STEP,
        REAL=kind,
    )


def normalise_branches(
    zs: Sequence[Tensor], start: int, statistics: Tensor, *, relu: bool
) -> list[Tensor]:
    """(z - mean) / standard deviation, followed by ReLU if `relu`, of branches of one shape."""
    outputs = [torch.empty_like(z) for z in zs]
    norm_kernels.normalise_kernel[(triton.cdiv(zs[0].numel(), TILE), len(zs))](
        tuple(zs),
        tuple(outputs),
        statistics,
        zs[0].numel(),
        start,
        statistics.shape[1],
        **_layout(zs, relu),
        SIZE=TILE,
    )
    return outputs


def normalise_branches_backward(
    gradients: Sequence[Tensor],
    zs: Sequence[Tensor],
    start: int,
    statistics: Tensor,
    *,
    relu: bool,
    training: bool,
) -> list[Tensor]:
    """The gradients of `zs`, from the gradients of the results of `normalise_branches`."""
    rows, columns, table = pixels(zs[0]), zs[0].shape[1], statistics.shape[1]
    outputs = [torch.empty_like(z) for z in zs]
    sums = statistics
    if training:
        lanes = lanes_of(columns)
        portion = rows_of(lanes)
        blocks = blocks_of(rows, portion)
        sums = statistics.new_empty((blocks, 2, len(zs) * columns))
        norm_kernels.norm_sums_kernel[(blocks, len(zs))](
            tuple(zs),
            tuple(gradients),
            statistics,
            sums,
            rows,
            blocks,
            start,
            table,
            **_layout(zs, relu),
            LANES=lanes,
            ROWS=portion,
        )
        sums = sums.sum(0)
    norm_kernels.norm_gradient_kernel[(triton.cdiv(zs[0].numel(), TILE), len(zs))](
        tuple(zs),
        tuple(gradients),
        tuple(outputs),
        statistics,
        sums,
        zs[0].numel(),
        rows,
        start,
        table,
        **_layout(zs, relu),
        TRAINING=training,
        SIZE=TILE,
        num_warps=8,  # With four, registers spill on sm_80.
    )
    return outputs


def _layout(zs: Sequence[Tensor], relu: bool) -> dict[str, Any]:
    """The compile-time constants of the kernels for branches of one shape."""
    columns = zs[0].shape[1]
    return {
        "COLUMNS": columns,
        "OFFSETS": tuple(i * columns for i in range(len(zs))),
        "BRANCHES": len(zs),
        "RELU": relu,
        "REAL": real(zs[0].dtype)[1],
    }
