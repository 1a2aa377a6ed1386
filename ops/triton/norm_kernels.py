"""Kernels of batch norms: statistics, normalisation and its gradient.

Tensors are matrices with one row per pixel and one column per channel; columns are padded to LANES,
a power of two. One launch takes a tuple of tensors and serves all branches, because a supernet is
bound by kernel launches and not by arithmetic. The statistics of all branches are in one table;
those of branch b start at column start + OFFSETS[b]. No kernel uses atomics, so results are
reproducible bit for bit.
"""

# Kernels annotate only compile-time constants, because Triton interprets annotations.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl

# Arguments that vary between sources. Triton must not compile one kernel for each of their values.
NORM_ARGUMENTS = ("rows", "blocks", "numbers", "start", "table")


@triton.jit
def _moments(
    z,
    mean_out,
    spread_out,
    rows,
    blocks,
    COLUMNS: tl.constexpr,
    LANES: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    block = tl.program_id(0)
    lane = tl.arange(0, LANES)
    count = tl.full([], 0, tl.int32)
    mean = tl.zeros([LANES], REAL)
    spread = tl.zeros([LANES], REAL)
    for start in range(block * ROWS, rows, blocks * ROWS):
        row = start + tl.arange(0, ROWS)
        live = (row < rows)[:, None] & (lane < COLUMNS)[None, :]
        at = row.to(tl.int64)[:, None] * COLUMNS + lane[None, :]
        value = tl.load(z + at, mask=live, other=0.0).to(REAL)
        more = tl.minimum(rows - start, ROWS)
        mean_here = tl.sum(value, 0) / more
        difference = tl.where(live, value - mean_here[None, :], 0.0)
        # Merge two sets (Chan, Golub and LeVeque, 1979): accurate for means of any size.
        share = tl.cast(more, REAL) / (count + more)
        shift = mean_here - mean
        spread += tl.sum(difference * difference, 0) + shift * shift * share * count
        mean += shift * share
        count += more
    tl.store(mean_out + lane, mean, mask=lane < COLUMNS)
    tl.store(spread_out + lane, spread, mask=lane < COLUMNS)


@triton.jit(do_not_specialize=NORM_ARGUMENTS)
def moments_kernel(
    zs,
    moments,
    rows,
    blocks,
    start,
    table,
    COLUMNS: tl.constexpr,
    LANES: tl.constexpr,
    OFFSETS: tl.constexpr,
    BRANCHES: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """Mean and sum of squared deviations of each column, over a part of the rows.

    `moments` is `[blocks, 2, table]`.
    """
    line = moments + tl.program_id(0) * 2 * table
    for b in tl.static_range(BRANCHES):
        if tl.program_id(1) == b:
            mean = line + start + OFFSETS[b]
            _moments(zs[b], mean, mean + table, rows, blocks, COLUMNS[b], LANES[b], ROWS, REAL)


@triton.jit
def _statistics(
    moments,
    running_mean,
    running_variance,
    mean_out,
    inverse_out,
    rows,
    blocks,
    table,
    COLUMNS: tl.constexpr,
    TRAINING: tl.constexpr,
    MOMENTUM: tl.constexpr,
    EPS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
    STEP: tl.constexpr,
    REAL: tl.constexpr,
):
    block = tl.arange(0, BLOCKS)
    # Rows per block: every `blocks`-th portion of ROWS rows; the last portion is shorter.
    portions = tl.cdiv(rows, ROWS)
    count = tl.where(block < blocks, (portions - block + blocks - 1) // blocks * ROWS, 0)
    count = tl.where(block == (portions - 1) % blocks, count - (portions * ROWS - rows), count)
    count = count.to(REAL)[:, None]
    for left in range(0, COLUMNS, STEP):
        lane = left + tl.arange(0, STEP)
        here = lane < COLUMNS
        running = tl.load(running_mean + lane, mask=here, other=0.0).to(REAL)
        running_v = tl.load(running_variance + lane, mask=here, other=1.0).to(REAL)
        if TRAINING:
            at = block[:, None] * 2 * table + lane[None, :]
            live = (block < blocks)[:, None] & here[None, :]
            means = tl.load(moments + at, mask=live, other=0.0)
            spreads = tl.load(moments + at + table, mask=live, other=0.0)
            mean = tl.sum(means * count, 0) / rows
            shift = means - mean[None, :]
            spread = tl.sum(spreads + shift * shift * count, 0)
            variance = spread / rows
            unbiased = spread / tl.maximum(rows - 1, 1)
            running += MOMENTUM * (mean - running)
            running_v += MOMENTUM * (unbiased - running_v)
            kind = running_mean.dtype.element_ty
            tl.store(running_mean + lane, running.to(kind), mask=here)
            tl.store(running_variance + lane, running_v.to(kind), mask=here)
        else:
            mean = running
            variance = running_v
        tl.store(mean_out + lane, mean, mask=here)
        tl.store(inverse_out + lane, 1.0 / tl.sqrt(variance + EPS), mask=here)


@triton.jit(do_not_specialize=NORM_ARGUMENTS)
def statistics_kernel(
    moments,
    running_means,
    running_variances,
    statistics,
    rows,
    blocks,
    start,
    table,
    COLUMNS: tl.constexpr,
    OFFSETS: tl.constexpr,
    BRANCHES: tl.constexpr,
    TRAINING: tl.constexpr,
    MOMENTUM: tl.constexpr,
    EPS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
    STEP: tl.constexpr,
    REAL: tl.constexpr,
):
    """Merge the moments of all blocks into `statistics` `[2, table]`: mean, 1/sqrt(variance + eps).

    If TRAINING, running statistics are updated as in nn.BatchNorm2d; else they are used instead.
    """
    for b in tl.static_range(BRANCHES):
        if tl.program_id(0) == b:
            _statistics(
                moments + start + OFFSETS[b],
                running_means[b],
                running_variances[b],
                statistics + start + OFFSETS[b],
                statistics + table + start + OFFSETS[b],
                rows,
                blocks,
                table,
                COLUMNS[b],
                TRAINING,
                MOMENTUM,
                EPS,
                ROWS,
                BLOCKS,
                STEP,
                REAL,
            )


@triton.jit
def _normalised(z, at, live, means, table, column, REAL: tl.constexpr):
    """(z - mean) / standard deviation of the numbers at `at`, and 1 / standard deviation."""
    mean = tl.load(means + column)
    inverse = tl.load(means + table + column)
    return (tl.load(z + at, mask=live, other=0.0).to(REAL) - mean) * inverse, inverse


@triton.jit(do_not_specialize=NORM_ARGUMENTS)
def normalise_kernel(
    zs,
    outputs,
    statistics,
    numbers,
    start,
    table,
    COLUMNS: tl.constexpr,
    OFFSETS: tl.constexpr,
    BRANCHES: tl.constexpr,
    RELU: tl.constexpr,
    SIZE: tl.constexpr,
    REAL: tl.constexpr,
):
    """(z - mean) / standard deviation, then ReLU if RELU, for branches of one width."""
    at = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    live = at < numbers
    column = (at % COLUMNS).to(tl.int32)
    for b in tl.static_range(BRANCHES):
        if tl.program_id(1) == b:
            means = statistics + start + OFFSETS[b]
            value, _ = _normalised(zs[b], at, live, means, table, column, REAL)
            if RELU:
                value = tl.maximum(value, 0.0)
            tl.store(outputs[b] + at, value.to(outputs[b].dtype.element_ty), mask=live)


@triton.jit
def _norm_sums(
    z,
    gradient,
    means,
    inverses,
    sums,
    rows,
    blocks,
    COLUMNS: tl.constexpr,
    LANES: tl.constexpr,
    ALL_COLUMNS: tl.constexpr,
    RELU: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    block = tl.program_id(0)
    lane = tl.arange(0, LANES)
    here = lane < COLUMNS
    mean = tl.load(means + lane, mask=here, other=0.0)
    inverse = tl.load(inverses + lane, mask=here, other=0.0)
    total = tl.zeros([LANES], REAL)
    product = tl.zeros([LANES], REAL)
    for start in range(block * ROWS, rows, blocks * ROWS):
        row = start + tl.arange(0, ROWS)
        live = (row < rows)[:, None] & here[None, :]
        at = row.to(tl.int64)[:, None] * COLUMNS + lane[None, :]
        x = (tl.load(z + at, mask=live, other=0.0).to(REAL) - mean[None, :]) * inverse[None, :]
        g = tl.load(gradient + at, mask=live, other=0.0).to(REAL)
        if RELU:
            g = tl.where(x > 0, g, 0.0)
        total += tl.sum(g, 0)
        product += tl.sum(g * x, 0)
    own = sums + block * 2 * ALL_COLUMNS + lane
    tl.store(own, total, mask=here)
    tl.store(own + ALL_COLUMNS, product, mask=here)


@triton.jit(do_not_specialize=NORM_ARGUMENTS)
def norm_sums_kernel(
    zs,
    gradients,
    statistics,
    sums,
    rows,
    blocks,
    start,
    table,
    COLUMNS: tl.constexpr,
    LANES: tl.constexpr,
    OFFSETS: tl.constexpr,
    BRANCHES: tl.constexpr,
    RELU: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """Sums over a part of the rows for the gradient of `normalise_kernel`.

    `sums` is `[blocks, 2, BRANCHES * COLUMNS]`: sum(g) and sum(g · normalised value).
    """
    for b in tl.static_range(BRANCHES):
        if tl.program_id(1) == b:
            _norm_sums(
                zs[b],
                gradients[b],
                statistics + start + OFFSETS[b],
                statistics + table + start + OFFSETS[b],
                sums + b * COLUMNS,
                rows,
                blocks,
                COLUMNS,
                LANES,
                BRANCHES * COLUMNS,
                RELU,
                ROWS,
                REAL,
            )


@triton.jit(do_not_specialize=NORM_ARGUMENTS)
def norm_gradient_kernel(
    zs,
    gradients,
    outputs,
    statistics,
    sums,
    numbers,
    rows,
    start,
    table,
    COLUMNS: tl.constexpr,
    OFFSETS: tl.constexpr,
    BRANCHES: tl.constexpr,
    RELU: tl.constexpr,
    TRAINING: tl.constexpr,
    SIZE: tl.constexpr,
    REAL: tl.constexpr,
):
    """The gradient of z in `normalise_kernel`.

    `sums` is `[2, BRANCHES * COLUMNS]`, added over all blocks.
    """
    at = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    live = at < numbers
    column = (at % COLUMNS).to(tl.int32)
    for b in tl.static_range(BRANCHES):
        if tl.program_id(1) == b:
            means = statistics + start + OFFSETS[b]
            x, inverse = _normalised(zs[b], at, live, means, table, column, REAL)
            g = tl.load(gradients[b] + at, mask=live, other=0.0).to(REAL)
            if RELU:
                g = tl.where(x > 0, g, 0.0)
            if TRAINING:
                own = sums + b * COLUMNS + column
                g -= tl.load(own) / rows + x * (tl.load(own + BRANCHES * COLUMNS) / rows)
            tl.store(outputs[b] + at, (g * inverse).to(outputs[b].dtype.element_ty), mask=live)
