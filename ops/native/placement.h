// Data movement between a state and the targets of its edges: the placement of processed channels,
// the bypassed channels, and the gradients of both.

#pragma once

#include "fan_out.h"

template <class T>
inline T larger(T one, T other) {
    return other > one ? other : one;
}

// The bypassed channels of row y at their positions in a target [width, channels]; other channels
// are 0. With stride 2 they are max-pooled first; `pixel` is a buffer for one pixel.
template <int V, int G>
void FanOutKernel<V, G>::read_passing(const Real* state, Size y, Real* pixel, Real* row) const {
    const Size right = f.channels, down = f.width * right;
    const Real* from = state + y * f.stride * down;
    for (Size x = 0; x < output.width; ++x, from += f.stride * right, row += f.channels) {
        if (f.stride == 2)
            with_width(f.channels, [&](auto w) {
                for (Size q = 0; q < f.channels; q += w) {
                    const auto upper = larger(load<w>(from + q), load<w>(from + right + q));
                    const Real* below = from + down + q;
                    const auto lower = larger(load<w>(below), load<w>(below + right));
                    store<w>(pixel + q, larger(upper, lower));
                }
            });
        permute(f.channels, f.stride == 2 ? pixel : from, to_target.data(), nullptr, row);
    }
}

template <int V, int G>
void FanOutKernel<V, G>::place(Scratch& s, Size image) const {
    const bool passes = f.channels > lanes.channels;
    const Real* state = f.state + image * source_pixels * f.channels;
    for (Size y = 0; y < output.height; ++y) {
        if (passes) read_passing(state, y, s.rows.get() + output.width * f.channels, s.rows.get());
        for (Size x = 0; x < output.width; ++x) {
            const Size pixel = y * output.width + x;
            const Real* passing = s.rows.get() + x * f.channels;
            for (Size e = 0; e < lanes.edges; ++e) {
                const Real* mixed = of_edge(s.mixed.get(), e) + pixel * B;
                Real* to = f.target[e] + (image * pixels + pixel) * f.channels;
                with_width(f.channels, [&](auto w) {
                    for (Size q = 0; q < f.channels; q += w) {
                        auto value = picked<w>(mixed, G, placed.data() + q);
                        if (passes) value += f.passing[e] * load<w>(passing + q);
                        if (!f.assign) value += load<w>(to + q);
                        store<w>(to + q, value);
                    }
                });
            }
        }
    }
}

// Read the gradients of a block's lanes at a pixel from the targets of its edges.
template <int V, int G>
inline void FanOutKernel<V, G>::take(Size image, Size pixel, Size block, Real* to) const {
    const Size at = (image * pixels + pixel) * f.channels, first = block * (B / G);
    const Size edges = std::min<Size>(B / G, lanes.edges - first);
    const auto lanes_of = [&](auto w) {
        for (Size j = 0; j < B; j += w) {
            Vector<w> value{};
            for (Size e = 0; e < edges; ++e)
                value += picked<w>(f.target[first + e] + at, f.channels, taken.data() + e * B + j);
            store<w>(to + j, value);
        }
    };
    if (f.channels % V == 0)
        lanes_of(std::integral_constant<int, V>{});
    else
        lanes_of(std::integral_constant<int, 1>{});
}

// The gradient of the mixtures of one image, g [blocks, pixels, block]. Also adds the gradient of
// the bypassed channels to the state and computes that of their weights, d_passing [edges].
template <int V, int G>
void FanOutKernel<V, G>::read_gradient(Scratch& s, Size image, Real* g, Real* d_passing) const {
    const Size width = output.width, C = f.channels;
    const bool passes = C > lanes.channels;
    const Real* state = f.state + image * source_pixels * f.channels;
    Real* values = s.rows.get();
    Real* gradients = values + width * C;
    Real* pixel = gradients + width * C;
    Real* products = pixel + C;  // [edges, channels]
    std::fill_n(products, lanes.edges * C, Real(0));
    for (Size y = 0; y < output.height; ++y) {
        if (passes) read_passing(state, y, pixel, values);
        for (Size x = 0; x < width; ++x)
            for (Size block = 0; block < lanes.blocks; ++block)
                take(image, y * width + x, block, g + (block * pixels + y * width + x) * B);
        if (passes)
            pass_edges_on((image * pixels + y * width) * f.channels, values, gradients,
                          products);
        if (passes && f.d_state) pass_on(state, image, y, gradients, pixel);
    }
    for (Size e = 0; e < lanes.edges; ++e) {
        d_passing[e] = 0;
        for (Size q = 0; q < C; ++q) d_passing[e] += products[e * C + q];
    }
}

// For the row that begins at `row` in the targets: gradients [width, C] = sum over the edges of
// weight · target, and products [edges, C] += target · values.
template <int V, int G>
void FanOutKernel<V, G>::pass_edges_on(Size row, const Real* values, Real* gradients,
                                       Real* products) const {
    const Size C = f.channels;
    const auto columns = [&](auto v, Size q) {
        runs(lanes.edges, [&](auto n, Size e) {
            Vector<v> product[n];
            for (int i = 0; i < n; ++i) product[i] = load<v>(products + (e + i) * C + q);
            for (Size x = 0; x < output.width; ++x) {
                Real* to = gradients + x * C + q;
                const auto value = load<v>(values + x * C + q);
                auto total = e ? load<v>(to) : Vector<v>{};
                for (int i = 0; i < n; ++i) {
                    const auto gradient = load<v>(f.target[e + i] + row + x * f.channels + q);
                    total += f.passing[e + i] * gradient;
                    product[i] += gradient * value;
                }
                store<v>(to, total);
            }
            for (int i = 0; i < n; ++i) store<v>(products + (e + i) * C + q, product[i]);
        });
    };
    Size q = 0;
    for (; q + V <= C; q += V) columns(std::integral_constant<int, V>{}, q);
    for (; q < C; ++q) columns(std::integral_constant<int, 1>{}, q);
}

// The gradient of the bypassed channels of row y. That of a maximum goes to its first position.
template <int V, int G>
void FanOutKernel<V, G>::pass_on(const Real* state, Size image, Size y, const Real* gradients,
                                 Real* pixel) const {
    const Size right = f.channels, down = f.width * right, row = y * f.stride * down;
    const Size corners[4] = {0, right, down, down + right};
    const Size begin = image * source_pixels * f.channels + row;
    const Real* base = f.base ? f.base + begin : nullptr;
    Real* to = f.d_state + begin;
    state += row;
    for (Size x = 0; x < output.width; ++x, gradients += f.channels) {
        if (f.stride == 1) {
            permute(f.channels, gradients, to_state.data(), base, to);
        } else {
            permute(f.channels, gradients, to_state.data(), nullptr, pixel);
            with_width(f.channels, [&](auto w) {
                for (Size q = 0; q < f.channels; q += w) {
                    Vector<w> value[4];
                    for (int i = 0; i < 4; ++i) value[i] = load<w>(state + corners[i] + q);
                    const auto most =
                        larger(larger(value[0], value[1]), larger(value[2], value[3]));
                    auto left = load<w>(pixel + q);
                    for (int i = 0; i < 4; ++i) {
                        const Size at = corners[i] + q;
                        const auto here = value[i] == most;
                        auto given = i < 3 ? (here ? left : Vector<w>{}) : left;
                        left = here ? Vector<w>{} : left;
                        if (base) given += load<w>(base + at);
                        store<w>(to + at, given);
                    }
                }
            });
        }
        const Size step = f.stride * right;
        state += step, to += step;
        if (base) base += step;
    }
}
