// Arguments of a stage, and the streams of pixels between stages; see stage.h.

#pragma once

#include "table.h"

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

// The rows of pixels: one after another, or where a table says.
struct Following {
    Size first;
    Size operator()(Size i) const { return first + i; }
};
struct Listed {
    Size first;
    const Size* at;
    Size operator()(Size i) const { return first + at[i]; }
};

// A map of numbers `factor · x + term`, then a ReLU or not: how a stage reads what is before it.
struct Reading {
    Table from;
    const Real *factor, *term;  // null if x is read as it is
    bool relu;

    // to[at[i]] = pixel row_of(i).
    template <class F>
    void fill(F row_of, Size count, Real* to, const Size* at) const {
        const Row floor = all(relu ? 0 : NO_FLOOR);
        for_vectors(from.channels, [&](Size c, auto rest) {
            const Row slope = factor ? get(factor + c) : all(1);
            const Row level = factor ? get(term + c) : Row{};
            for (Size i = 0; i < count; ++i) {
                const Row x = from.template load<rest>(row_of(i), c);
                put(to + at[i] + c, above(floor, x * slope + level));
            }
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

    // Call f(c, rows) for each vector; rows(body) calls body(i, gradient, z) for the pixels of an
    // image from `row` on.
    template <class F>
    void read(Size row, Size count, Size image, const Real* z, Size columns, F f) const {
        const Row kept = all(mask ? mask[image] : 1);
        for_vectors(dy.channels, [&](Size c, auto rest) {
            const auto rows = [&](auto rectified, auto body) {
                const Row slope = rectified ? get(factor + c) : Row{};
                const Row level = rectified ? get(term + c) : Row{};
                for (Size i = 0; i < count; ++i) {
                    const Row value = get(z + i * columns + c);
                    Row gradient = dy.template load<rest>(row + i, c) * kept;
                    if (rectified) gradient = value * slope + level <= Row{} ? Row{} : gradient;
                    body(i, gradient, value);
                }
            };
            f(c, [&](auto body) {
                factor ? rows(std::true_type{}, body) : rows(std::false_type{}, body);
            });
        });
    }
};

// Where the gradient of a stage's input goes, and the stage before, whose sums it completes.
struct Leaving {
    Table dx;              // nowhere if dx.at is null
    Table base;            // is added; nothing if base.at is null; may be dx
    const Real *z, *norm;  // null if there is no stage before
    Size columns;          // numbers in a row of z
    Real* sums;            // [tiles, 2, columns]
};

// Sums of a gradient g and of g · (z - mean), for one vector of channels.
class Sums {
    Real *const level, *const slope;
    const Row mean;
    Row of_gradient, of_product;

   public:
    Sums(Real* sums, const Real* norm, Size columns, Size c)
        : level(sums + c), slope(sums + columns + c), mean(get(norm + c)), of_gradient(get(level)),
          of_product(get(slope)) {}
    void add(Row gradient, Row z) {
        of_gradient += gradient;
        of_product += gradient * (z - mean);
    }
    void save() const { put(level, of_gradient), put(slope, of_product); }
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
