"""Kernels of the backward pass of a source; see ops/triton/forward_kernels.py for the layout.

`gradient` is the gradient of all nodes. It is complete for the nodes where the source's edges end.
"""

# Kernels annotate only compile-time constants, because Triton interprets annotations.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl

from ops.triton.forward_kernels import SOURCE_ARGUMENTS, bypassed, moments_of, window_size


@triton.jit(do_not_specialize=SOURCE_ARGUMENTS)
def sums_kernel(
    branches,
    pools,
    state,
    statistics,
    gradient,
    order,
    place,
    sums,
    rows,
    blocks,
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
    SLOTS: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """Sums over a part of the rows for the gradients of batch norms and architecture.

    `sums` is `[blocks, edges, 2 + OPERATIONS, CHANNELS]`. With g the node's gradient, slot 0 is
    sum(g), slot 1 is sum(g · bypassed channels), all in column 0, and slot 2 + o is
    sum(g · normalised output of operation o).
    """
    edge = tl.program_id(0) % edges
    block = tl.program_id(0) // edges
    lane = tl.arange(0, LANES)
    here = lane < CHANNELS
    other = CHANNELS + tl.arange(0, OTHER_LANES)
    there = other < STATE_CHANNELS
    slot = tl.arange(0, SLOTS)[:, None]
    channel = tl.load(order + lane, mask=here, other=0)
    standing = tl.load(place + lane, mask=here, other=0)
    column = edge * CHANNELS + lane
    total = tl.zeros([SLOTS, LANES], REAL)
    passed = tl.zeros([OTHER_LANES], REAL)
    for start in range(block * ROWS, rows, blocks * ROWS):
        row = start + tl.arange(0, ROWS)
        line = row.to(tl.int64)[:, None]
        live = (row < rows)[:, None] & here[None, :]
        node = gradient + line * nodes_pitch + edge * STATE_CHANNELS
        g = tl.load(node + standing[None, :], mask=live, other=0.0).to(REAL)
        total += tl.where(slot == 0, tl.sum(g, 0)[None, :], 0.0)
        for b in tl.static_range(BRANCHES):
            own = statistics + (POOLS + LAST[b] * edges) * CHANNELS + column
            mean, inverse = moments_of(own, inverses, here)
            z = branches[b] + line * (edges * CHANNELS) + column[None, :]
            x = (tl.load(z, mask=live, other=0.0).to(REAL) - mean[None, :]) * inverse[None, :]
            total += tl.where(slot == 2 + BRANCH_COLUMNS[b], tl.sum(g * x, 0)[None, :], 0.0)
        for p in tl.static_range(POOLS):
            own = statistics + p * CHANNELS + lane
            mean, inverse = moments_of(own, inverses, here)
            z = pools[p] + line * CHANNELS + lane[None, :]
            x = (tl.load(z, mask=live, other=0.0).to(REAL) - mean[None, :]) * inverse[None, :]
            total += tl.where(slot == 2 + POOL_COLUMNS[p], tl.sum(g * x, 0)[None, :], 0.0)
        if IDENTITY >= 0:
            x = tl.load(state + line * pitch + channel[None, :], mask=live, other=0.0).to(REAL)
            total += tl.where(slot == 2 + IDENTITY, tl.sum(g * x, 0)[None, :], 0.0)
        if STATE_CHANNELS > CHANNELS:
            passes = (row < rows)[:, None] & there[None, :]
            at = tl.load(place + other, mask=there, other=0)
            g_other = tl.load(node + at[None, :], mask=passes, other=0.0).to(REAL)
            at = tl.load(order + other, mask=there, other=0)
            x_other, _ = bypassed(
                state,
                row,
                passes,
                at,
                height,
                width,
                state_height,
                state_width,
                pitch,
                STRIDE,
                REAL,
            )
            passed += tl.sum(g_other * x_other, 0)
    total += tl.where((slot == 1) & (lane == 0)[None, :], tl.sum(passed, 0), 0.0)
    at = ((block * edges + edge) * (2 + OPERATIONS) + slot) * CHANNELS + lane[None, :]
    tl.store(sums + at, total, mask=(slot < 2 + OPERATIONS) & here[None, :])


@triton.jit(do_not_specialize=SOURCE_ARGUMENTS)
def spread_kernel(
    branches,
    pools,
    d_branches,
    d_pools,
    statistics,
    gradient,
    mixture,
    place,
    sums,
    rows,
    nodes_pitch,
    edges,
    inverses,
    STATE_CHANNELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LANES: tl.constexpr,
    BRANCHES: tl.constexpr,
    POOLS: tl.constexpr,
    BRANCH_COLUMNS: tl.constexpr,
    POOL_COLUMNS: tl.constexpr,
    OPERATIONS: tl.constexpr,
    LAST: tl.constexpr,
    TRAINING: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """Gradients of branches and pools before their batch norms, from the gradient of the nodes.

    Programs with edge index `edges` compute the pools, which all edges share. `sums` is the result
    of `sums_kernel`, added over all blocks.
    """
    edge = tl.program_id(0) % (edges + 1)
    row = tl.program_id(0) // (edges + 1) * ROWS + tl.arange(0, ROWS)
    line = row.to(tl.int64)[:, None]
    lane = tl.arange(0, LANES)
    here = lane < CHANNELS
    live = (row < rows)[:, None] & here[None, :]
    standing = tl.load(place + lane, mask=here, other=0)
    node = gradient + line * nodes_pitch + standing[None, :]
    if edge < edges:
        g = tl.load(node + edge * STATE_CHANNELS, mask=live, other=0.0).to(REAL)
        of_edge = sums + edge * (2 + OPERATIONS) * CHANNELS + lane
        column = edge * CHANNELS + lane
        at = line * (edges * CHANNELS) + column[None, :]
        for b in tl.static_range(BRANCHES):
            weight = tl.load(mixture + edge * OPERATIONS + BRANCH_COLUMNS[b]).to(REAL)
            own = statistics + (POOLS + LAST[b] * edges) * CHANNELS + column
            mean, inverse = moments_of(own, inverses, here)
            d = g
            if TRAINING:
                z = tl.load(branches[b] + at, mask=live, other=0.0).to(REAL)
                mean_g = tl.load(of_edge, mask=here, other=0.0) / rows
                slope = tl.load(of_edge + (2 + BRANCH_COLUMNS[b]) * CHANNELS, mask=here, other=0.0)
                slope = slope / rows * inverse
                d = g - mean_g[None, :] - (z - mean[None, :]) * slope[None, :]
            d = d * (weight * inverse)[None, :]
            tl.store(d_branches[b] + at, d.to(d_branches[b].dtype.element_ty), mask=live)
    else:
        at = line * CHANNELS + lane[None, :]
        for p in tl.static_range(POOLS):
            d = tl.zeros([ROWS, LANES], REAL)
            mean_g = tl.zeros([LANES], REAL)
            slope = tl.zeros([LANES], REAL)
            for e in range(edges):
                weight = tl.load(mixture + e * OPERATIONS + POOL_COLUMNS[p]).to(REAL)
                g = tl.load(node + e * STATE_CHANNELS, mask=live, other=0.0).to(REAL)
                of_edge = sums + e * (2 + OPERATIONS) * CHANNELS + lane
                of_pool = of_edge + (2 + POOL_COLUMNS[p]) * CHANNELS
                d += weight * g
                mean_g += weight * tl.load(of_edge, mask=here, other=0.0)
                slope += weight * tl.load(of_pool, mask=here, other=0.0)
            own = statistics + p * CHANNELS + lane
            mean, inverse = moments_of(own, inverses, here)
            if TRAINING:
                z = tl.load(pools[p] + at, mask=live, other=0.0).to(REAL)
                slope = slope / rows * inverse
                d -= (mean_g / rows)[None, :] + (z - mean[None, :]) * slope[None, :]
            d = d * inverse[None, :]
            tl.store(d_pools[p] + at, d.to(d_pools[p].dtype.element_ty), mask=live)


@triton.jit(do_not_specialize=SOURCE_ARGUMENTS)
def gather_kernel(
    d_convolved,
    d_largest,
    d_average,
    tap_of_largest,
    active,
    state,
    gradient,
    mixture,
    passing,
    order,
    place,
    d_state,
    rows,
    height,
    width,
    state_height,
    state_width,
    pitch,
    nodes_pitch,
    edges,
    STATE_CHANNELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LANES: tl.constexpr,
    OTHER_LANES: tl.constexpr,
    STRIDE: tl.constexpr,
    CONVOLUTIONS: tl.constexpr,
    MAX: tl.constexpr,
    AVERAGE: tl.constexpr,
    IDENTITY: tl.constexpr,
    OPERATIONS: tl.constexpr,
    ASSIGN: tl.constexpr,
    ROWS: tl.constexpr,
    REAL: tl.constexpr,
):
    """The gradient of a state from all its readers, in its layout; `rows` counts its pixels."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    line = row.to(tl.int64)[:, None]
    within = row < rows
    lane = tl.arange(0, LANES)
    here = lane < CHANNELS
    live = within[:, None] & here[None, :]
    image = row // (state_height * state_width)
    y = (row // state_width) % state_height
    x = row % state_width
    own = line * CHANNELS + lane[None, :]
    total = tl.zeros([ROWS, LANES], REAL)
    for c in tl.static_range(CONVOLUTIONS):
        total += tl.load(d_convolved[c] + own, mask=live, other=0.0).to(REAL)
    if CONVOLUTIONS > 0:
        total = tl.where(tl.load(active + own, mask=live, other=0.0) > 0, total, 0.0)
    if IDENTITY >= 0:
        standing = tl.load(place + lane, mask=here, other=0)
        for e in range(edges):
            g = gradient + line * nodes_pitch + e * STATE_CHANNELS + standing[None, :]
            weight = tl.load(mixture + e * OPERATIONS + IDENTITY).to(REAL)
            total += weight * tl.load(g, mask=live, other=0.0).to(REAL)
    if MAX or AVERAGE:
        for window in tl.static_range(9):
            # The window that contains this pixel at position `window`, if it exists.
            down = y - (window // 3 - 1)
            right = x - (window % 3 - 1)
            exists = (down >= 0) & (right >= 0)
            if STRIDE == 2:
                exists = exists & (down % 2 == 0) & (right % 2 == 0)
                down = down // 2
                right = right // 2
            exists = exists & (down < height) & (right < width)
            result = image * height * width + down * width + right
            seen = live & exists[:, None]
            at = result.to(tl.int64)[:, None] * CHANNELS + lane[None, :]
            if MAX:
                chosen = seen & (tl.load(tap_of_largest + at, mask=seen, other=-1) == window)
                total += tl.load(d_largest + at, mask=chosen, other=0.0).to(REAL)
            if AVERAGE:
                size = window_size(result, height, width, state_height, state_width, STRIDE)
                total += tl.load(d_average + at, mask=seen, other=0.0).to(REAL) / size[:, None]
    to = d_state + line * pitch
    at = tl.load(order + lane, mask=here, other=0)
    if not ASSIGN:
        total += tl.load(to + at[None, :], mask=live, other=0.0).to(REAL)
    tl.store(to + at[None, :], total.to(d_state.dtype.element_ty), mask=live)
    if STATE_CHANNELS > CHANNELS:
        other = CHANNELS + tl.arange(0, OTHER_LANES)
        there = other < STATE_CHANNELS
        passes = within[:, None] & there[None, :]
        result = image * height * width + y // STRIDE * width + x // STRIDE
        standing = tl.load(place + other, mask=there, other=0)
        at = tl.load(order + other, mask=there, other=0)
        bypass = tl.zeros([ROWS, OTHER_LANES], REAL)
        for e in range(edges):
            g = gradient + result.to(tl.int64)[:, None] * nodes_pitch + e * STATE_CHANNELS
            weight = tl.load(passing + e).to(REAL)
            bypass += weight * tl.load(g + standing[None, :], mask=passes, other=0.0).to(REAL)
        if STRIDE == 2:
            _, tap = bypassed(
                state,
                result,
                passes,
                at,
                height,
                width,
                state_height,
                state_width,
                pitch,
                STRIDE,
                REAL,
            )
            bypass = tl.where(tap == (y % 2 * 2 + x % 2)[:, None], bypass, 0.0)
        if not ASSIGN:
            bypass += tl.load(to + at[None, :], mask=passes, other=0.0).to(REAL)
        tl.store(to + at[None, :], bypass.to(d_state.dtype.element_ty), mask=passes)
