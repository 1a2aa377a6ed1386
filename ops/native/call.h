// Arguments that Python passes to the kernels of fan_out.h; mirrored in ops/native/kernels.py.

#pragma once

#include "separable.h"

enum Kind : Size { MAX_POOL, AVG_POOL, IDENTITY, REDUCE, SEPARABLE, DILATED };

extern "C" {
struct Branch {
    Size kind, kernel, column;
    // Depthwise and pointwise kernels of the first, then of the second separable convolution; or
    // conv1 and conv2 of the factorised reduction.
    const Real* weight[4];
    Real* gradient[4];  // null if not needed
    Real* running[4];   // running mean and variance of the first, then of the second batch norm
    Real* z[2];         // inputs of the batch norms: [batch, blocks, pixels, block]; of pools
                        // [batch, pixels, group]
    Real* norm[2];      // [2, lanes]: mean, 1 / standard deviation
};

struct FanOut {
    Size batch, height, width, channels, stride;
    Lanes lanes;
    Size columns, branches, training, threads;
    double eps, momentum;
    const Branch* branch;
    const Size* order;      // [channels]: channels of the state, the processed ones first
    const Size* place;      // [channels]: their positions in a target
    const Real* mixture;    // [edges, columns]: weights of the operations
    const Real* passing;    // [edges]: weights of the bypassed channels
    const Real* state;      // [batch, height, width, channels]; targets have the same layout
    Real* x;                // [batch, source pixels, group]: the processed channels of the state
    Real* const* target;    // [edges]: target states, or their gradients in the backward pass
    Size assign;            // forward: whether the targets are still uninitialised
    const Real* base;       // initial value of `d_state`, null for zeros
    Real* d_state;          // null if not needed
    Real* d_mixture;        // [edges, columns]
    Real* d_passing;        // [edges]
};
}
