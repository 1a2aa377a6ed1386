// Matrix products and depthwise windows on pixels that lie at tabulated positions.
//
// A pixel is a row of lanes (its channels, rounded up to whole vectors; unused lanes hold zeros).
// All loops address pixel p as base + at[p], so that images of any width, borders and strides need
// no code of their own. Pixels come in multiples of 8.

#pragma once

#include "lanes.h"

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32;
#else
constexpr int VECTOR_BYTES = 16;
#endif

constexpr int W = VECTOR_BYTES / sizeof(Real);  // numbers in a vector
using Row = Vector<W>;
constexpr int GROUP_OF_PIXELS = 8;

// Loads and stores that the compiler keeps in registers even in arrays of rows.
typedef Real Loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(Real)), may_alias));
inline Row get(const Real* from) { return *reinterpret_cast<const Loose*>(from); }
inline void put(Real* to, Row row) { *reinterpret_cast<Loose*>(to) = row; }

// A row that is read several times: in a register, instead of once more from memory each time.
inline void hold(Row& row) {
#if defined(__AVX512F__)
    asm("" : "+v"(row));
#elif defined(__x86_64__)
    asm("" : "+x"(row));
#elif defined(__aarch64__)
    asm("" : "+w"(row));
#endif
}

constexpr Size rounded(Size number, Size multiple) {
    return (number + multiple - 1) / multiple * multiple;
}
constexpr Size whole(Size channels) { return rounded(channels, W); }

// The first `count` < W numbers, then zeros; reads nothing beyond them.
inline Row load_some(const Real* from, Size count) {
    alignas(LINE) Real numbers[W] = {};
    for (Size i = 0; i < count; ++i) numbers[i] = from[i];
    return get(numbers);
}

inline void store_some(Real* to, Row row, Size count) {
    alignas(LINE) Real numbers[W];
    put(numbers, row);
    for (Size i = 0; i < count; ++i) to[i] = numbers[i];
}

// A tensor [rows, stride] of which `channels` numbers of each row count.
struct Table {
    Real* at;
    Size channels, stride, rows;

    // Call f(channel, vector) for the vectors of a row; lanes beyond the channels are zero.
    template <class F>
    void read(Size row, F f) const {
        const Real* from = at + row * stride;
        Size c = 0;
        for (; c + W <= channels; c += W) f(c, get(from + c));
        if (c == channels) return;
        if (from + c + W > at + rows * stride) return f(c, load_some(from + c, channels - c));
        typename VectorOf<W>::Mask lane;
        for (int i = 0; i < W; ++i) lane[i] = i;
        f(c, lane < typename VectorOf<W>::Integer(channels - c) ? get(from + c) : Row{});
    }

    // row = f(channel) for the vectors of a row. Rows are written in rising order: numbers beyond
    // the channels belong to the next row, which overwrites them; the row before `end` spares them.
    template <class F>
    void write(Size row, Size end, F f) const {
        Real* to = at + row * stride;
        Size c = 0;
        for (; c + W <= channels; c += W) put(to + c, f(c));
        if (c == channels) return;
        if (to + c + W > at + end * stride)
            store_some(to + c, f(c), channels - c);
        else
            put(to + c, f(c));
    }
};

// Call f(N, first column) for panels of N = 3, 2 or 1 vectors that cover the columns of a matrix.
template <class F>
inline void panels(Size columns, F f) {
    Size left = whole(columns) / W;
    for (Size j = 0; left;) {
        if (left == 3 || left > 4) {
            f(std::integral_constant<int, 3>{}, j);
            j += 3 * W, left -= 3;
        } else if (left > 1) {
            f(std::integral_constant<int, 2>{}, j);
            j += 2 * W, left -= 2;
        } else {
            f(std::integral_constant<int, 1>{}, j);
            j += W, left -= 1;
        }
    }
}

// Positions relative to a pixel: of the taps of a window, or of the factors of a matrix's rows.
struct Places {
    const Size* at;
    Size count;
};

// to[p] (+)= sum over rows k of from[p + place k] · panel[k], for R pixels.
template <int R, int N>
inline void product(const Real* from, const Size* at, Places rows, const Real* panel, Real* to,
                    const Size* to_at, bool add) {
    const Real* row[R];
    Row total[R][N];
    for (int r = 0; r < R; ++r) row[r] = from + at[r];
    for (int r = 0; r < R; ++r)
        for (int i = 0; i < N; ++i) total[r][i] = Row{};
    for (Size k = 0; k < rows.count; ++k, panel += N * W) {
        const Size place = rows.at[k];
        Row factor[N];
        for (int i = 0; i < N; ++i) factor[i] = get(panel + i * W), hold(factor[i]);
        for (int r = 0; r < R; ++r)
            for (int i = 0; i < N; ++i) total[r][i] += row[r][place] * factor[i];
    }
    if (add)
        for (int r = 0; r < R; ++r)
            for (int i = 0; i < N; ++i) total[r][i] += get(to + to_at[r] + i * W);
    for (int r = 0; r < R; ++r)
        for (int i = 0; i < N; ++i) put(to + to_at[r] + i * W, total[r][i]);
}

// `product` for all pixels and all columns of a matrix [rows, columns], packed in panels.
inline void multiply(const Real* from, const Size* at, Size pixels, Places rows,
                     const Real* matrix, Size columns, Real* to, const Size* to_at, bool add) {
    panels(columns, [&](auto n, Size j) {
        constexpr int R = n == 1 ? GROUP_OF_PIXELS : 4;
        for (Size p = 0; p < pixels; p += R)
            product<R, n>(from, at + p, rows, matrix + rows.count * j, to + j, to_at + p, add);
    });
}

// matrix[first + c, j] += sum over pixels p of from[p, c] · out[p, j], for c < depth, rounded up to
// a multiple of 8. The matrix [rows, columns] is packed in panels.
inline void multiply_gradient(const Real* from, const Size* at, Size pixels, Size depth,
                              const Real* out, Size stride, Size columns, Real* matrix, Size rows,
                              Size first) {
    panels(columns, [&](auto n, Size j) {
        constexpr int R = n == 1 ? 8 : 4;
        for (Size c = 0; c < depth; c += R) {
            Real* panel = matrix + rows * j + (first + c) * n * W;
            Row total[R][n];
            for (int r = 0; r < R; ++r)
                for (int i = 0; i < n; ++i) total[r][i] = get(panel + (r * n + i) * W);
            for (Size p = 0; p < pixels; ++p) {
                const Real* row = from + at[p] + c;
                Row factor[n];
                for (int i = 0; i < n; ++i)
                    factor[i] = get(out + p * stride + j + i * W), hold(factor[i]);
                for (int r = 0; r < R; ++r)
                    for (int i = 0; i < n; ++i) total[r][i] += row[r] * factor[i];
            }
            for (int r = 0; r < R; ++r)
                for (int i = 0; i < n; ++i) put(panel + (r * n + i) * W, total[r][i]);
        }
    });
}

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

// Call f(tap, pixel, vector) for the taps of a window's row: the pixels that it covers, each once.
template <int K, int D, class F>
inline void across(const Real* from, Size lanes, F f) {
    each(
        [&](auto i) {
            const Row value = get(from + i * lanes);
            each(
                [&](auto x) {
                    constexpr int p = i - x * D;
                    if constexpr (p >= 0 && p < GROUP_OF_PIXELS) f(x, p, value);
                },
                std::make_integer_sequence<int, K>{});
        },
        std::make_integer_sequence<int, GROUP_OF_PIXELS + (K - 1) * D>{});
}

// to[p] = sum over taps t of weights[t] · from[p + t]: a depthwise window.
inline void slide(const Real* from, const Size* at, Size pixels, const Window& window,
                  const Real* weights, Size lanes, Real* to) {
    constexpr int R = GROUP_OF_PIXELS;
    const Places taps = window.taps;
    const bool done = window.with_constants([&](auto k, auto d) {
        constexpr int K = k, D = d;
        const Size down = window.down();
        for (Size p = 0; p < pixels; p += R)
            for (Size j = 0; j < lanes; j += W) {
                Row total[R];
                for (int r = 0; r < R; ++r) total[r] = Row{};
                for (Size y = 0; y < K; ++y) {
                    Row weight[K];
                    for (int x = 0; x < K; ++x)
                        weight[x] = get(weights + (y * K + x) * lanes + j), hold(weight[x]);
                    across<K, D>(from + at[p] + y * down + j, lanes,
                                 [&](auto x, int r, Row value) { total[r] += weight[x] * value; });
                }
                for (int r = 0; r < R; ++r) put(to + (p + r) * lanes + j, total[r]);
            }
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

// gradient[t] += sum over pixels p of out[p] · from[p + t].
inline void slide_gradient(const Real* from, const Size* at, Size pixels, const Window& window,
                           Size lanes, const Real* out, const Size* out_at, Real* gradient) {
    constexpr int R = GROUP_OF_PIXELS;
    const Places taps = window.taps;
    const bool done = window.with_constants([&](auto k, auto d) {
        constexpr int K = k, D = d;
        const Size down = window.down();
        for (Size p = 0; p < pixels; p += R)
            for (Size j = 0; j < lanes; j += W) {
                Row of[R];
                for (int r = 0; r < R; ++r) of[r] = get(out + out_at[p + r] + j), hold(of[r]);
                for (Size y = 0; y < K; ++y) {
                    Row total[K];
                    for (int x = 0; x < K; ++x) total[x] = get(gradient + (y * K + x) * lanes + j);
                    across<K, D>(from + at[p] + y * down + j, lanes,
                                 [&](auto x, int r, Row value) { total[x] += of[r] * value; });
                    for (int x = 0; x < K; ++x) put(gradient + (y * K + x) * lanes + j, total[x]);
                }
            }
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
