"""Kernels of the forward pass of a source: a state and the edges that leave it.

Layout. Images are matrices: one row per pixel (channels_last), one column per channel. A branch has
edges * CHANNELS columns; channel c of edge e is column e * CHANNELS + c. Tensors that all edges
share have CHANNELS columns. Columns are padded to LANES, a power of two.

Channels. order[c] is the channel of the state that is read as the c-th channel, and place[c] is its
position in a node. The first CHANNELS of them are processed, the others bypass.

Nodes. `nodes` starts at the node where edge 0 ends; the nodes of further edges follow. `height`
and `width` are those of the nodes. Neighbouring pixels are `pitch` numbers apart in the state and
`nodes_pitch` numbers apart in the nodes.

Statistics. `statistics` holds the means of the pools, then those of the convolutions; LAST[b] is
the index of the last convolution of branch b. The values of 1 / standard deviation follow
`inverses` numbers later.
"""

# Kernels annotate only compile-time constants, because Triton interprets annotations.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl

# Arguments that vary between sources. Triton must not compile one kernel for each of their values.
SOURCE_ARGUMENTS = (
    "rows",
    "blocks",
    "edges",
    "inverses",
    "height",
    "width",
    "state_height",
    "state_width",
)


@triton.jit
def pixel_at(row, dy, dx, height, width, state_height, state_width, STRIDE: tl.constexpr):
    """The state's row at offset (dy, dx) from a node's pixel, and whether it is in the image."""
    image = row // (height * width)
    y = (row // width) % height * STRIDE + dy
    x = row % width * STRIDE + dx
    inside = (y >= 0) & (y < state_height) & (x >= 0) & (x < state_width)
    return image * state_height * state_width + y * state_width + x, inside


@triton.jit
def moments_of(own, inverses, here):
    """Means and 1 / standard deviations of the columns whose means start at `own`."""
    return tl.load(own, mask=here, other=0.0), tl.load(own + inverses, mask=here, other=0.0)


@triton.jit
def window_size(row, height, width, state_height, state_width, STRIDE: tl.constexpr):
    """The number of pixels of a 3x3 window that lie inside the image."""
    y = (row // width) % height * STRIDE
    x = row % width * STRIDE
    tall = 1 + (y > 0).to(tl.int32) + (y + 1 < state_height).to(tl.int32)
    wide = 1 + (x > 0).to(tl.int32) + (x + 1 < state_width).to(tl.int32)
    return tall * wide


@triton.jit
def bypassed(
    state,
    row,
    live,
    channel,
    height,
    width,
    state_height,
    state_width,
    pitch,
    STRIDE: tl.constexpr,
    REAL: tl.constexpr,
):
    """The bypassed channels, max-pooled over 2x2 pixels if STRIDE is 2, and the maximum's index."""
    best = tl.full(live.shape, float("-inf"), REAL)
    tap = tl.zeros(live.shape, tl.int32)
    for window in tl.static_range(STRIDE * STRIDE):
        pixel, _ = pixel_at(
            row, window // STRIDE, window % STRIDE, height, width, state_height, state_width, STRIDE
        )
        at = pixel.to(tl.int64)[:, None] * pitch + channel[None, :]
        x = tl.load(state + at, mask=live, other=0.0).to(REAL)
        tap = tl.where(x > best, window, tap)  # The first of equal values, as in PyTorch.
        best = tl.maximum(x, best)
    return best, tap


@triton.jit(do_not_specialize=SOURCE_ARGUMENTS)
def prepare_kernel(
    state,
    order,
    active,
    largest,
    tap_of_largest,
    average,
    rows,
    height,
    width,
    state_height,
    state_width,
    pitch,
    CHANNELS: tl.constexpr,
    LANES: tl.constexpr,
    STRIDE: tl.constexpr,
    RELU: tl.constexpr,
    MAX: tl.constexpr,
    AVERAGE: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """ReLU and both 3x3 pools of the processed channels; reads the state once."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    lane = tl.arange(0, LANES)
    live = (row < rows)[:, None] & (lane < CHANNELS)[None, :]
    channel = tl.load(order + lane, mask=lane < CHANNELS, other=0)
    at = row.to(tl.int64)[:, None] * CHANNELS + lane[None, :]
    best = tl.full([ROWS, LANES], float("-inf"), REAL)
    tap = tl.zeros([ROWS, LANES], tl.int32)
    total = tl.zeros([ROWS, LANES], REAL)
    for window in tl.static_range(9):
        pixel, inside = pixel_at(
            row, window // 3 - 1, window % 3 - 1, height, width, state_height, state_width, STRIDE
        )
        line = pixel.to(tl.int64)[:, None]
        seen = live & inside[:, None]
        x = tl.load(state + line * pitch + channel[None, :], mask=seen, other=0.0).to(REAL)
        # Each pixel of the state is written by exactly one row: that whose stride step contains it.
        inner = (window // 3 > 0 and window % 3 > 0) and (
            window // 3 <= STRIDE and window % 3 <= STRIDE
        )
        if RELU and inner:
            own = active + line * CHANNELS + lane[None, :]
            tl.store(own, tl.maximum(x, 0.0).to(active.dtype.element_ty), mask=seen)
        better = seen & (x > best)  # The first of equal values, as in PyTorch.
        best = tl.where(better, x, best)
        tap = tl.where(better, window, tap)
        total += tl.where(seen, x, 0.0)
    if MAX:
        tl.store(largest + at, best.to(largest.dtype.element_ty), mask=live)
        tl.store(tap_of_largest + at, tap.to(tl.int8), mask=live)
    if AVERAGE:
        mean = total / window_size(row, height, width, state_height, state_width, STRIDE)[:, None]
        tl.store(average + at, mean.to(average.dtype.element_ty), mask=live)


@triton.jit(do_not_specialize=SOURCE_ARGUMENTS)
def combine_kernel(
    branches,
    pools,
    state,
    statistics,
    mixture,
    passing,
    order,
    place,
    nodes,
    rows,
    height,
    width,
    state_height,
    state_width,
    pitch,
    nodes_pitch,
    edges,
    inverses,
    STATE_CHANNELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LANES: tl.constexpr,
    OTHER_LANES: tl.constexpr,
    STRIDE: tl.constexpr,
    BRANCHES: tl.constexpr,
    POOLS: tl.constexpr,
    BRANCH_COLUMNS: tl.constexpr,
    POOL_COLUMNS: tl.constexpr,
    IDENTITY: tl.constexpr,
    OPERATIONS: tl.constexpr,
    LAST: tl.constexpr,
    ASSIGN: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """Mixture and bypassed channels of every edge, added to the nodes where the edges end.

    *_COLUMNS and IDENTITY are columns of the mixture table `[edges, OPERATIONS]`; -1 means absent.
    """
    edge = tl.program_id(0) % edges
    row = tl.program_id(0) // edges * ROWS + tl.arange(0, ROWS)
    line = row.to(tl.int64)[:, None]
    within = row < rows
    lane = tl.arange(0, LANES)
    here = lane < CHANNELS
    live = within[:, None] & here[None, :]
    weights = mixture + edge * OPERATIONS
    column = edge * CHANNELS + lane
    total = tl.zeros([ROWS, LANES], REAL)
    for b in tl.static_range(BRANCHES):
        weight = tl.load(weights + BRANCH_COLUMNS[b]).to(REAL)
        own = statistics + (POOLS + LAST[b] * edges) * CHANNELS + column
        mean, inverse = moments_of(own, inverses, here)
        at = line * (edges * CHANNELS) + column[None, :]
        z = tl.load(branches[b] + at, mask=live, other=0.0).to(REAL)
        total += (z - mean[None, :]) * (inverse * weight)[None, :]
    for p in tl.static_range(POOLS):
        weight = tl.load(weights + POOL_COLUMNS[p]).to(REAL)
        own = statistics + p * CHANNELS + lane
        mean, inverse = moments_of(own, inverses, here)
        at = line * CHANNELS + lane[None, :]
        z = tl.load(pools[p] + at, mask=live, other=0.0).to(REAL)
        total += (z - mean[None, :]) * (inverse * weight)[None, :]
    if IDENTITY >= 0:
        channel = tl.load(order + lane, mask=here, other=0)
        x = tl.load(state + line * pitch + channel[None, :], mask=live, other=0.0).to(REAL)
        total += x * tl.load(weights + IDENTITY).to(REAL)
    node = nodes + line * nodes_pitch + edge * STATE_CHANNELS
    to = node + tl.load(place + lane, mask=here, other=0)[None, :]
    if not ASSIGN:
        total += tl.load(to, mask=live, other=0.0).to(REAL)
    tl.store(to, total.to(nodes.dtype.element_ty), mask=live)
    if STATE_CHANNELS > CHANNELS:
        other = CHANNELS + tl.arange(0, OTHER_LANES)
        there = other < STATE_CHANNELS
        passes = within[:, None] & there[None, :]
        channel = tl.load(order + other, mask=there, other=0)
        x, _ = bypassed(
            state,
            row,
            passes,
            channel,
            height,
            width,
            state_height,
            state_width,
            pitch,
            STRIDE,
            REAL,
        )
        x *= tl.load(passing + edge).to(REAL)
        to = node + tl.load(place + other, mask=there, other=0)[None, :]
        if not ASSIGN:
            x += tl.load(to, mask=passes, other=0.0).to(REAL)
        tl.store(to, x.to(nodes.dtype.element_ty), mask=passes)
