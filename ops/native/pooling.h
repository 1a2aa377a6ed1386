// 3x3 max and average pooling on images [pixels, channels]; padding does not count.

#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "lanes.h"

struct Pooling {
    Size height, width, channels, stride;

    Size out_height() const { return (height - 1) / stride + 1; }
    Size out_width() const { return (width - 1) / stride + 1; }

    // Call f(first output, first input, count) for runs of (output, input) pairs of row y. Each
    // output gets the inputs of its window in reading order.
    template <class F>
    void row(Size y, F f) const {
        for (Size dy = -1; dy <= 1; ++dy) {
            const Size from = y * stride + dy;
            if (from < 0 || from >= height) continue;
            for (Size dx = -1; dx <= 1; ++dx) {
                const Size first = dx < 0 ? 1 : 0;
                const Size last = std::min(out_width(), (width - 1 - dx) / stride + 1);
                const auto pair = [&](Size x, Size count) {
                    f((y * out_width() + x) * channels,
                      (from * width + x * stride + dx) * channels, count * channels);
                };
                if (stride == 1)
                    pair(first, last - first);
                else
                    for (Size x = first; x < last; ++x) pair(x, 1);
            }
        }
    }

    Size inside(Size centre, Size length) const {
        return std::min(centre + 1, length - 1) - std::max<Size>(centre - 1, 0) + 1;
    }
    // Divide the values of row y by the number of window pixels that lie inside the image.
    void average(Size y, Real* values) const {
        for (Size x = 0; x < out_width(); ++x) {
            const Real share = Real(1) / (inside(y * stride, height) * inside(x * stride, width));
            Real* here = values + (y * out_width() + x) * channels;
            for (Size c = 0; c < channels; ++c) here[c] *= share;
        }
    }

    void forward(bool max, const Real* x, Real* z) const {
        const Size numbers = out_width() * channels;
        for (Size y = 0; y < out_height(); ++y) {
            std::fill_n(z + y * numbers, numbers,
                        max ? -std::numeric_limits<Real>::infinity() : Real(0));
            row(y, [&](Size to, Size from, Size count) {
                const Real* __restrict in = x + from;
                Real* __restrict out = z + to;
                if (max)
                    for (Size i = 0; i < count; ++i) out[i] = in[i] <= out[i] ? out[i] : in[i];  // also NaN
                else
                    for (Size i = 0; i < count; ++i) out[i] += in[i];
            });
            if (!max) average(y, z);
        }
    }

    // Adds to dx and overwrites dz. The gradient of a maximum goes to its first position, as in
    // PyTorch.
    void backward(bool max, const Real* x, const Real* z, Real* dz, Real* dx) const {
        for (Size y = 0; y < out_height(); ++y) {
            if (!max) average(y, dz);
            row(y, [&](Size to, Size from, Size count) {
                const Real* __restrict in = x + from;
                const Real* __restrict out = z + to;
                Real* __restrict d_out = dz + to;
                Real* __restrict d_in = dx + from;
                if (max)
                    for (Size i = 0; i < count; ++i) {
                        const bool here = in[i] == out[i];
                        d_in[i] += here ? d_out[i] : Real(0);
                        d_out[i] = here ? Real(0) : d_out[i];  // only once
                    }
                else
                    for (Size i = 0; i < count; ++i) d_in[i] += d_out[i];
            });
        }
    }
};
