// Tensors whose rows are pixels, read and written vector by vector.

#pragma once

#include <limits>

#include "product.h"
#include "window.h"

// The first `count` < W numbers, then zeros; reads nothing beyond them.
[[gnu::noinline]] inline Row load_some(const Real* from, Size count) {
    alignas(LINE) Real numbers[W] = {};
    for (Size i = 0; i < count; ++i) numbers[i] = from[i];
    return get(numbers);
}

[[gnu::noinline]] inline void store_some(Real* to, Row row, Size count) {
    alignas(LINE) Real numbers[W];
    put(numbers, row);
    for (Size i = 0; i < count; ++i) to[i] = numbers[i];
}

inline Row all(Real number) { return Row{} + number; }

// The larger of both; keeps a NaN of x. The floor is 0 for a ReLU, and `NO_FLOOR` without one.
constexpr Real NO_FLOOR = -std::numeric_limits<Real>::infinity();
inline Row above(Row floor, Row x) { return x < floor ? floor : x; }

// Call f(c, rest) for the vectors of a row of channels: c is the first channel, and `rest` a
// constant, whether the vector is only partly filled. That one comes first.
template <class F>
inline void for_vectors(Size channels, F f) {
    if (const Size rest = channels % W) f(channels - rest, std::true_type{});
    for (Size c = 0; c + W <= channels; c += W) f(c, std::false_type{});
}

// A tensor [rows, stride] of which `channels` numbers of each row count. Loops over `for_vectors`
// outside and over a few rows inside keep what belongs to a channel in registers.
struct Table {
    Real* at;
    Size channels, stride, rows;

    // The vector of a row from channel c on; lanes beyond the channels are zero.
    template <bool REST>
    Row load(Size row, Size c) const {
        const Real* from = at + row * stride + c;
        if constexpr (!REST) return get(from);
        const Size left = channels - c;
        if (from + W > at + (rows - 1) * stride + channels) return load_some(from, left);
        typename VectorOf<W>::Mask lane;
        for (int i = 0; i < W; ++i) lane[i] = i;
        return lane < typename VectorOf<W>::Integer(left) ? get(from) : Row{};
    }

    // Rows are written in rising order. Numbers beyond the channels belong to the next row, whose
    // first channels are written later; the row before `end` spares them.
    template <bool REST>
    void store(Size row, Size c, Size end, Row value) const {
        Real* to = at + row * stride + c;
        if (REST && to + W > at + end * stride)
            store_some(to, value, channels - c);
        else
            put(to, value);
    }
};
