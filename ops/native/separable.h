// A depthwise and a pointwise convolution on one block of lanes of one image.

#pragma once

#include "lanes.h"

// The lane layout; see lanes.h.
struct Lanes {
    Size channels, edges;       // channels of the mixed operation; edges that leave the state
    Size group, block, blocks;  // lanes of an edge; lanes of a block; number of blocks

    Size total() const { return blocks * block; }
    Size of(Size edge, Size channel) const { return edge * group + channel; }
};

// An image with `block` lanes per pixel and a border of zeros.
struct Plane {
    Size height, width, border, block;

    Size row() const { return (width + 2 * border) * block; }
    Size size() const { return (height + 2 * border) * row(); }
    Size at(Size y, Size x) const { return (y + border) * row() + (x + border) * block; }
};

struct Window {
    Size kernel, dilation, shift;  // shift: position of the first tap relative to the output pixel

    Size taps() const { return kernel * kernel; }
    std::vector<Size> offsets(const Plane& plane) const {
        std::vector<Size> result;
        for (Size y = 0; y < kernel; ++y)
            for (Size x = 0; x < kernel; ++x)
                result.push_back((y * dilation + shift) * plane.row() +
                                 (x * dilation + shift) * plane.block);
        return result;
    }
};

// Both kernels (or their gradients), packed in the order in which the lanes read them.
struct Kernels {
    Numbers depthwise;   // [blocks, taps, block]
    Numbers pointwise;   // [blocks, group, block]: row = input, lane = output channel
    Numbers transposed;  // [blocks, group, block]: row = output, lane = input channel

    Kernels(const Lanes& lanes, Size taps)
        : depthwise(taps * lanes.total()), pointwise(lanes.group * lanes.total()) {}
};

// Call f(packed index, plain index) for each weight of a depthwise kernel [E·C, 1, k, k].
template <class F>
void for_depthwise(const Lanes& lanes, Size taps, F f) {
    for (Size e = 0; e < lanes.edges; ++e)
        for (Size c = 0; c < lanes.channels; ++c) {
            const Size lane = lanes.of(e, c), block = lane / lanes.block;
            for (Size t = 0; t < taps; ++t)
                f((block * taps + t) * lanes.block + lane % lanes.block,
                  (e * lanes.channels + c) * taps + t);
        }
}

// Call f(packed, transposed, plain index) for each weight of a pointwise kernel [E·O, C, 1, 1],
// which computes `outputs` channels of each edge, starting at channel `first`.
template <class F>
void for_pointwise(const Lanes& lanes, Size first, Size outputs, F f) {
    const Size row = lanes.block;
    const auto column = [&](Size e, Size channel) {
        const Size lane = lanes.of(e, channel);
        return lane / lanes.block * lanes.group * row + lane % lanes.block;
    };
    std::vector<Size> of_channel(lanes.channels);
    for (Size e = 0; e < lanes.edges; ++e) {
        for (Size c = 0; c < lanes.channels; ++c) of_channel[c] = column(e, c);
        for (Size o = first; o < first + outputs; ++o)
            for (Size c = 0; c < lanes.channels; ++c)
                f(of_channel[o] + c * row, of_channel[c] + o * row,
                  (e * outputs + o - first) * lanes.channels + c);
    }
}

inline Kernels pack(const Lanes& lanes, Size taps, const Real* depthwise, const Real* pointwise,
                    Size first, Size outputs) {
    Kernels kernels(lanes, taps);
    kernels.transposed.resize(kernels.pointwise.size());
    for_depthwise(lanes, taps, [&](Size packed, Size plain) {
        kernels.depthwise[packed] = depthwise ? depthwise[plain] : 1;
    });
    for_pointwise(lanes, first, outputs, [&](Size packed, Size transposed, Size plain) {
        kernels.pointwise[packed] = kernels.transposed[transposed] = pointwise[plain];
    });
    return kernels;
}

// A window that slides over an input plane with a stride and gives an output plane.
struct Sliding {
    Plane input, output;
    Size stride, taps;
    std::vector<Size> offsets, reversed;

    Sliding(const Window& window, const Plane& input, const Plane& output, Size stride)
        : input(input), output(output), stride(stride), taps(window.taps()),
          offsets(window.offsets(input)), reversed(window.offsets(output)) {
        for (Size& offset : reversed) offset = -offset;
    }
};

// Call f(N, output plane position, input plane position, output pixel) for runs of N pixels.
template <class F>
void for_runs(const Sliding& window, F f) {
    for (Size y = 0; y < window.output.height; ++y)
        runs(window.output.width, [&](auto n, Size x) {
            f(n, window.output.at(y, x), window.input.at(y * window.stride, x * window.stride),
              y * window.output.width + x);
        });
}

// z [pixels, block] (+)= pointwise · depthwise · x, where x is an input plane.
template <int V, int G, int STRIDE>
void convolve(const Sliding& window, const Real* x, const Real* depthwise, const Real* pointwise,
              Real* z, bool accumulate) {
    constexpr int B = BLOCK<V, G>;
    const Size* offsets = window.offsets.data();
    for_runs(window, [&](auto n, Size, Size from, Size pixel) {
        alignas(LINE) Real between[n * B];
        gather<V, n, B, STRIDE * B>(x + from, offsets, window.taps, depthwise, between, false);
        mix<V, G, n>(between, pointwise, z + pixel * B, accumulate);
    });
}

// Backward of `convolve`: the gradients of the kernels and of x, each skipped if null.
// write_dz(N, first pixel, to) writes the output gradient of a run of pixels. dx is an input plane;
// its old values are kept if `accumulate`. `inner` is an output plane with a border of zeros.
template <int V, int G, int STRIDE, class F>
void convolve_backward(const Sliding& window, const Real* x, const Real* depthwise,
                       const Real* transposed, F write_dz, Real* inner, Real* d_depthwise,
                       Real* d_pointwise, Real* dx, bool accumulate) {
    constexpr int B = BLOCK<V, G>;
    const Size* offsets = window.offsets.data();
    const Size taps = window.taps;
    for_runs(window, [&](auto n, Size at, Size from, Size pixel) {
        alignas(LINE) Real dz[n * B];
        write_dz(n, pixel, dz);
        mix<V, G, n>(dz, transposed, inner + at, false);
        if (d_pointwise) {
            alignas(LINE) Real between[n * B];
            gather<V, n, B, STRIDE * B>(x + from, offsets, taps, depthwise, between, false);
            mix_gradient<V, G, n>(between, dz, d_pointwise);
        }
        if (d_depthwise)
            window_gradient<V, n, B, STRIDE * B>(x + from, offsets, taps, inner + at, d_depthwise);
        if (dx && STRIDE > 1)
            scatter<V, n, B, STRIDE * B>(inner + at, offsets, taps, depthwise, dx + from);
    });
    if (dx && STRIDE == 1)
        for_runs(window, [&](auto n, Size at, Size from, Size) {
            gather<V, n, B, B>(inner + at, window.reversed.data(), taps, depthwise, dx + from,
                               accumulate);
        });
}
