// Matrix products and depthwise windows on pixels that lie at tabulated positions.
//
// A pixel is a row of lanes (its channels, rounded up to whole vectors; unused lanes hold zeros).
// All loops address pixel p as base + at[p], so that images of any width, borders and strides need
// no code of their own. Pixels come in multiples of 8.

#pragma once

#include "lanes.h"

#if defined(LANE_BYTES)  // by tests, for the layouts of other processors
constexpr int VECTOR_BYTES = LANE_BYTES;
#elif defined(__AVX512F__)
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
#if defined(LANE_BYTES)
    (void)row;
#elif defined(__AVX512F__)
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

// to[p] (+)= sum over rows k of from[p + place k] · panel[k]. Not inlined: all registers are needed.
template <int R, int N>
[[gnu::noinline]] inline void product(const Real* from, const Size* at, Size pixels, Places rows,
                                      const Real* matrix, Real* to, const Size* to_at, bool add) {
    for (Size p = 0; p < pixels; p += R) {
        const Real* row[R];
        Row total[R][N];
        for (int r = 0; r < R; ++r) row[r] = from + at[p + r];
        for (int r = 0; r < R; ++r)
            for (int i = 0; i < N; ++i) total[r][i] = Row{};
        const Real* panel = matrix;
        const Size* place = rows.at;
        for (const Size* const end = place + rows.count; place < end; ++place, panel += N * W) {
            Row factor[N];
            for (int i = 0; i < N; ++i) factor[i] = get(panel + i * W), hold(factor[i]);
            for (int r = 0; r < R; ++r)
                for (int i = 0; i < N; ++i) total[r][i] += row[r][*place] * factor[i];
        }
        if (add)
            for (int r = 0; r < R; ++r)
                for (int i = 0; i < N; ++i) total[r][i] += get(to + to_at[p + r] + i * W);
        for (int r = 0; r < R; ++r)
            for (int i = 0; i < N; ++i) put(to + to_at[p + r] + i * W, total[r][i]);
    }
}

// `product` for all columns of a matrix [rows, columns], packed in panels.
inline void multiply(const Real* from, const Size* at, Size pixels, Places rows,
                     const Real* matrix, Size columns, Real* to, const Size* to_at, bool add) {
    panels(columns, [&](auto n, Size j) {
        constexpr int R = n == 1 ? GROUP_OF_PIXELS : 4;
        product<R, n>(from, at, pixels, rows, matrix + rows.count * j, to + j, to_at, add);
    });
}

// panel[r, i] += sum over pixels p of from[p, r] · out[p, i], for R rows and N vectors. Not inlined: all
// registers are needed.
template <int R, int N>
[[gnu::noinline]] inline void outer_product(const Real* from, const Size* at, Size pixels,
                                            const Real* out, Size stride, Real* panel) {
    Row total[R][N];
    for (int r = 0; r < R; ++r)
        for (int i = 0; i < N; ++i) total[r][i] = get(panel + (r * N + i) * W);
    for (const Size* const end = at + pixels; at < end; ++at, out += stride) {
        const Real* row = from + *at;
        Row factor[N];
        for (int i = 0; i < N; ++i) factor[i] = get(out + i * W), hold(factor[i]);
        for (int r = 0; r < R; ++r)
            for (int i = 0; i < N; ++i) total[r][i] += row[r] * factor[i];
    }
    for (int r = 0; r < R; ++r)
        for (int i = 0; i < N; ++i) put(panel + (r * N + i) * W, total[r][i]);
}

// matrix[first + c, j] += sum over pixels p of from[p, c] · out[p, j], for c < depth, rounded up to
// a multiple of 8. The matrix [rows, columns] is packed in panels.
inline void multiply_gradient(const Real* from, const Size* at, Size pixels, Size depth,
                              const Real* out, Size stride, Size columns, Real* matrix, Size rows,
                              Size first) {
    panels(columns, [&](auto n, Size j) {
        constexpr int R = n == 1 ? 8 : 4;
        for (Size c = 0; c < depth; c += R)
            outer_product<R, n>(from + c, at, pixels, out + j, stride,
                                matrix + rows * j + (first + c) * n * W);
    });
}
