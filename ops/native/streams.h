// Arguments of a stage, and the streams of pixels between stages; see stage.h.

#pragma once

#include "product.h"

extern "C" {
struct StageCall {
    Size inputs, outputs, kernel, stride, dilation, groups, halves, relu;
    Size columns;  // numbers in a row of z
    double eps, momentum;
    const Real* window;     // [inputs, kernel, kernel], null without a depthwise window
    const Real* weight[2];  // [outputs, inputs / groups, kernel, kernel], or two halves
    const Real* affine[2];  // scale and shift of the batch norm
    Real* d_window;         // gradients, null if not needed
    Real* d_weight[2];
    Real* d_affine[2];
    Real* running[2];  // running mean and variance
    Real* z;           // [batch, output pixels, columns]: the input of the batch norm
    Real* norm;        // [2, columns]: mean, 1 / standard deviation; saved for the backward pass
};
}

// A map of numbers `factor · x + term`, then a ReLU or not: how a stage reads what is before it.
struct Reading {
    Table from;
    const Real *factor, *term;  // null if x is read as it is
    bool relu;

    template <class F>
    void read(Size row, F f) const {
        from.read(row, [&](Size c, Row x) {
            if (factor) x = x * get(factor + c) + get(term + c);
            f(c, relu ? ::relu<W>(x) : x);
        });
    }
};

// The buffers of one thread.
struct Scratch {
    Numbers plane, d_plane, middle, d_middle, dz, dz_plane, dx;
};

// The gradient that arrives at a stage's output y = factor · z + term, then a ReLU or not.
struct Arriving {
    Table dy;
    const Real* mask;           // [batch]: factors of whole images, null for ones
    const Real *factor, *term;  // null without a ReLU

    template <class F>
    void read(Size row, Size image, const Real* z, F f) const {
        const Real kept = mask ? mask[image] : 1;
        dy.read(row, [&](Size c, Row gradient) {
            const Row value = get(z + c);
            gradient *= kept;
            if (factor) {
                const Row y = value * get(factor + c) + get(term + c);
                gradient = y <= Row{} ? Row{} : gradient;
            }
            f(c, gradient, value);
        });
    }
};

// Where the gradient of a stage's input goes, and the stage before, whose sums it completes.
struct Leaving {
    Table dx;               // nowhere if dx.at is null
    const Real *z, *norm;   // null if there is no stage before
    Size columns;           // numbers in a row of z
    Real* sums;             // [tiles, 2, columns]
};

// Sums of a gradient g and of g · normalised z, for the rows of a tile.
struct Sums {
    Real* to;               // [2, columns]
    const Real* norm;       // [2, columns]
    Size columns;

    void add(Size c, Row gradient, Row z) const {
        const Row normal = (z - get(norm + c)) * get(norm + columns + c);
        put(to + c, get(to + c) + gradient);
        put(to + columns + c, get(to + columns + c) + gradient * normal);
    }
};

// A matrix of a product: the input and output lanes that it joins.
struct Part {
    Size input, depth, output, columns;
    std::vector<Size> taps;
    std::vector<Size> places;       // of its rows' factors: for each tap each input lane
    std::vector<Size> back_places;  // of the rows of its transpose
    Numbers matrix;                 // [taps · depth, columns], in panels
    Numbers transposed;             // [taps, columns, depth], in panels: one for each tap, or one
    Size rows() const { return taps.size() * rounded(depth, 8); }  // of a gradient
};
