// Depthwise windows on pixels that lie at tabulated positions; see product.h.

#pragma once

#include "product.h"

// A depthwise window. Where groups of pixels lie side by side, pixels are read once for all taps of
// a row.
struct Window {
    Places taps;
    Size kernel, dilation;
    bool side_by_side;

    Size down() const { return taps.at[kernel] - taps.at[0]; }

    // Call f(kernel, dilation) with constants, if there are any for this window.
    template <class F>
    bool with_constants(F f) const {
        using std::integral_constant;
        if (!side_by_side || kernel > 5 || kernel < 3 || dilation > 2) return false;
        if (kernel == 3 && dilation == 1) f(integral_constant<int, 3>{}, integral_constant<int, 1>{});
        if (kernel == 3 && dilation == 2) f(integral_constant<int, 3>{}, integral_constant<int, 2>{});
        if (kernel == 5 && dilation == 1) f(integral_constant<int, 5>{}, integral_constant<int, 1>{});
        if (kernel == 5 && dilation == 2) f(integral_constant<int, 5>{}, integral_constant<int, 2>{});
        return true;
    }
};

// A row of a window of K taps, D pixels apart, that slides over R pixels: the pixels under it.
template <int K, int D, int R = GROUP_OF_PIXELS>
struct Sight {
    static constexpr int PIXELS = R + (K - 1) * D;

    // Call f(tap, pixel) with constants, for the taps of the window's row that cover pixel I.
    template <int I, class F>
    static inline __attribute__((always_inline)) void covering(F f) {
        each(
            [&](auto x) __attribute__((always_inline)) {
                constexpr int r = I - x * D;
                if constexpr (r >= 0 && r < R) f(x, std::integral_constant<int, r>{});
            },
            std::make_integer_sequence<int, K>{});
    }
};

// `slide` with constants. Not inlined: all registers are needed.
template <int K, int D>
[[gnu::noinline]] inline void slide_rows(const Real* from, const Size* at, Size pixels, Size down,
                                         const Real* weights, Size lanes, Real* to) {
    constexpr int R = GROUP_OF_PIXELS;
    using View = Sight<K, D>;
    for (Size p = 0; p < pixels; p += R)
        for (Size j = 0; j < lanes; j += W) {
            Row total[R];
            for (int r = 0; r < R; ++r) total[r] = Row{};
            const Real *row = from + at[p] + j, *tap = weights + j;
            for (int y = 0; y < K; ++y, row += down, tap += K * lanes) {
                Row weight[K];
                for (int x = 0; x < K; ++x) weight[x] = get(tap + x * lanes);
                each(
                    [&](auto i) __attribute__((always_inline)) {
                        Row value = get(row + i * lanes);
                        hold(value);
                        View::template covering<i>([&](auto x, auto r) __attribute__((always_inline)) {
                            total[r] += weight[x] * value;
                        });
                    },
                    std::make_integer_sequence<int, View::PIXELS>{});
            }
            for (int r = 0; r < R; ++r) put(to + (p + r) * lanes + j, total[r]);
        }
}

// to[p] = sum over taps t of weights[t] · from[p + t]: a depthwise window.
inline void slide(const Real* from, const Size* at, Size pixels, const Window& window,
                  const Real* weights, Size lanes, Real* to) {
    constexpr int R = GROUP_OF_PIXELS;
    const Places taps = window.taps;
    const bool done = window.with_constants([&](auto k, auto d) {
        slide_rows<k, d>(from, at, pixels, window.down(), weights, lanes, to);
    });
    if (done) return;
    for (Size p = 0; p < pixels; p += R, to += R * lanes)
        for (Size j = 0; j < lanes; j += W) {
            const Real* row[R];
            Row total[R];
            for (int r = 0; r < R; ++r) row[r] = from + at[p + r] + j, total[r] = Row{};
            for (Size t = 0; t < taps.count; ++t) {
                const Row weight = get(weights + t * lanes + j);
                for (int r = 0; r < R; ++r) total[r] += weight * get(row[r] + taps.at[t]);
            }
            for (int r = 0; r < R; ++r) put(to + r * lanes + j, total[r]);
        }
}

// from[p + t] += weights[t] · out[p]: the transposed window.
inline void slide_back(Real* from, const Size* at, Size pixels, Places taps, const Real* weights,
                       Size lanes, const Real* out) {
    for (Size p = 0; p < pixels; ++p, out += lanes)
        for (Size j = 0; j < lanes; j += W) {
            const Row value = get(out + j);
            Real* row = from + at[p] + j;
            for (Size t = 0; t < taps.count; ++t)
                put(row + taps.at[t],
                         get(row + taps.at[t]) + get(weights + t * lanes + j) * value);
        }
}

// `slide_gradient` with constants, for one vector of lanes.
template <int K, int D>
[[gnu::noinline]] inline void slide_gradient_rows(const Real* from, const Size* at, Size pixels,
                                                  Size down, Size lanes, const Real* out,
                                                  const Size* out_at, Real* gradient) {
    constexpr int R = GROUP_OF_PIXELS;
    using View = Sight<K, D>;
    for (int y = 0; y < K; ++y, from += down, gradient += K * lanes) {
        // In registers for the whole band; two of each, as independent chains of additions.
        Row total[2][K];
        for (int x = 0; x < K; ++x) total[0][x] = get(gradient + x * lanes), total[1][x] = Row{};
        for (Size p = 0; p < pixels; p += R) {
            const Real* row = from + at[p];
            Row of[R];
            for (int r = 0; r < R; ++r) of[r] = get(out + out_at[p + r]);
            each(
                [&](auto i) __attribute__((always_inline)) {
                    Row value = get(row + i * lanes);
                    hold(value);
                    View::template covering<i>([&](auto x, auto r) __attribute__((always_inline)) {
                        total[r % 2][x] += of[r] * value;
                    });
                },
                std::make_integer_sequence<int, View::PIXELS>{});
        }
        for (int x = 0; x < K; ++x) put(gradient + x * lanes, total[0][x] + total[1][x]);
    }
}

// gradient[t] += sum over pixels p of out[p] · from[p + t].
inline void slide_gradient(const Real* from, const Size* at, Size pixels, const Window& window,
                           Size lanes, const Real* out, const Size* out_at, Real* gradient) {
    constexpr int R = GROUP_OF_PIXELS;
    const Places taps = window.taps;
    const bool done = window.with_constants([&](auto k, auto d) {
        for (Size j = 0; j < lanes; j += W)
            slide_gradient_rows<k, d>(from + j, at, pixels, window.down(), lanes, out + j, out_at,
                                      gradient + j);
    });
    if (done) return;
    for (Size p = 0; p < pixels; p += R)
        for (Size j = 0; j < lanes; j += W) {
            const Real* row[R];
            Row value[R];
            for (int r = 0; r < R; ++r)
                row[r] = from + at[p + r] + j, value[r] = get(out + out_at[p + r] + j);
            for (Size t = 0; t < taps.count; ++t) {
                Real* to = gradient + t * lanes + j;
                Row even = get(to), odd{};
                for (int r = 0; r < R; r += 2) {
                    even += value[r] * get(row[r] + taps.at[t]);
                    odd += value[r + 1] * get(row[r + 1] + taps.at[t]);
                }
                put(to, even + odd);
            }
        }
}
