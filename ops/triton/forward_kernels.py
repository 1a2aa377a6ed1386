"""Kernels of the forward pass of a source: a state with the edges that leave it.

Images are matrices: a row a pixel (channels_last), a column a channel. A branch has
edges * CHANNELS columns, channel c of edge e at e * CHANNELS + c; what all edges share has CHANNELS
columns. Columns are padded to LANES, a power of two. `order` tells which channel of the state is
read as the c-th one, `place` where the c-th one stands in a node; the first CHANNELS of them are
processed, the others bypass. `nodes` begins with the node where edge 0 ends; the others follow.
height and width are those of the nodes; from pixel to pixel it is `pitch` numbers in the state and
`nodes_pitch` in the nodes.

`statistics` has the means of the pools, then of the convolutions (LAST tells which is a branch's
last one); `inverses` numbers later their inverse deviations.
"""

# Kernels have no annotations but those of constants, which Triton gives a meaning.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl

# Numbers that differ from source to source; a kernel for each of their values would be too many.
VARYING = (
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
    """The state's row at offset (dy, dx) from the pixel of a node's row, and whether it exists."""
    image = row // (height * width)
    y = (row // width) % height * STRIDE + dy
    x = row % width * STRIDE + dx
    inside = (y >= 0) & (y < state_height) & (x >= 0) & (x < state_width)
    return image * state_height * state_width + y * state_width + x, inside


@triton.jit
def moments_of(own, inverses, here):
    """Means and inverse deviations of columns whose means stand at `own`."""
    return tl.load(own, mask=here, other=0.0), tl.load(own + inverses, mask=here, other=0.0)


@triton.jit
def window_size(row, height, width, state_height, state_width, STRIDE: tl.constexpr):
    """How many pixels of the 3x3 window around the pixel of a node's row lie in the image."""
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
    """The state as it bypasses: unchanged, or the largest of 2x2 pixels; and which of them."""
    best = tl.full(live.shape, float("-inf"), REAL)
    tap = tl.zeros(live.shape, tl.int32)
    for window in tl.static_range(STRIDE * STRIDE):
        pixel, _ = pixel_at(
            row, window // STRIDE, window % STRIDE, height, width, state_height, state_width, STRIDE
        )
        at = pixel.to(tl.int64)[:, None] * pitch + channel[None, :]
        x = tl.load(state + at, mask=live, other=0.0).to(REAL)
        tap = tl.where(x > best, window, tap)  # Of equal ones the first, as in PyTorch.
        best = tl.maximum(x, best)
    return best, tap


@triton.jit(do_not_specialize=VARYING)
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
    RECTIFY: tl.constexpr,
    MAX: tl.constexpr,
    AVERAGE: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """ReLU and both 3x3 pools of the processed channels, from one reading of the state."""
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
        # The pixels of a stride's step belong to this row, all others to its neighbours.
        inner = (window // 3 > 0 and window % 3 > 0) and (
            window // 3 <= STRIDE and window % 3 <= STRIDE
        )
        if RECTIFY and inner:
            own = active + line * CHANNELS + lane[None, :]
            tl.store(own, tl.maximum(x, 0.0).to(active.dtype.element_ty), mask=seen)
        better = seen & (x > best)  # Of equal ones the first, as in PyTorch.
        best = tl.where(better, x, best)
        tap = tl.where(better, window, tap)
        total += tl.where(seen, x, 0.0)
    if MAX:
        tl.store(largest + at, best.to(largest.dtype.element_ty), mask=live)
        tl.store(tap_of_largest + at, tap.to(tl.int8), mask=live)
    if AVERAGE:
        mean = total / window_size(row, height, width, state_height, state_width, STRIDE)[:, None]
        tl.store(average + at, mean.to(average.dtype.element_ty), mask=live)


@triton.jit(do_not_specialize=VARYING)
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
    """The mixture on every edge and what bypasses it, added to the nodes where the edges end.

    *_COLUMNS and IDENTITY are columns of the mixture's table [edges, OPERATIONS]; -1 for none.
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
