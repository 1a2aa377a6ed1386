// What Python passes to the kernels of fan_out.h; mirrored in ops/native/kernels.py.

#pragma once

#include "separable.h"

enum Kind : Size { MAX_POOL, AVG_POOL, IDENTITY, REDUCE, SEPARABLE, DILATED };

extern "C" {
struct Branch {
    Size kind, kernel, column;
    const Real* weight[4];  // depthwise, pointwise of the first, of the second convolution; or
    Real* gradient[4];      // conv1, conv2 of the factorised reduction
    Real* running[4];       // mean, variance of the first norm, of the second
    Real* z[2];             // [batch, blocks, pixels, block]; of pools [batch, pixels, group]
    Real* norm[2];          // [2, lanes]: mean, inverse deviation
};

struct FanOut {
    Size batch, height, width, channels, stride;
    Lanes lanes;
    Size columns, branches, training, threads;
    double eps, momentum;
    const Branch* branch;
    const Size* order;      // [channels]: read of the state, the processed ones first
    const Size* place;      // [channels]: where these stand in a target
    const Real* mixture;    // [edges, columns]
    const Real* passing;    // [edges]: weights of the bypassed channels
    const Real* state;      // [batch, height, width, channels], as each target
    Real* x;                // [batch, source pixels, group]: the processed channels of the state
    Real* const* target;    // [edges]: a target state, or its gradient in the backward pass
    Size assign;            // forward: the targets hold nothing yet
    const Real* base;       // what `d_state` begins with, null for zeros
    Real* d_state;          // null if not needed
    Real* d_mixture;        // [edges, columns]
    Real* d_passing;        // [edges]
};
}
