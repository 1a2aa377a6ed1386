// Vectors of V numbers, and operations on them at several neighbouring pixels at once.
//
// A lane is one channel of one edge. Each edge owns a group of G lanes (its channels, rounded up),
// and lanes are processed in blocks; the lanes of an edge never belong to two blocks:
//   G < V   a block is one vector that holds V / G edges of G channels each,
//   else    a block is one edge; G is a multiple of V.
// Unused lanes hold zeros.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "target.h"

using Real = REAL;  // float or double, chosen at compile time
using Size = std::int64_t;

// Memory is aligned to cache lines: a vector that straddles two lines takes twice the time.
constexpr std::size_t LINE = 64;

template <class T>
struct Aligned {
    using value_type = T;
    Aligned() = default;
    template <class U>
    Aligned(const Aligned<U>&) {}
    T* allocate(std::size_t count) {
        return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{LINE}));
    }
    void deallocate(T* memory, std::size_t) { ::operator delete(memory, std::align_val_t{LINE}); }
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t{LINE}); }
    bool operator==(const Aligned&) const { return true; }
    bool operator!=(const Aligned&) const { return false; }
};
using Numbers = std::vector<Real, Aligned<Real>>;
using Room = std::unique_ptr<Real[], Aligned<Real>>;  // uninitialised numbers

inline Room room(Size numbers) { return Room(Aligned<Real>().allocate(numbers)); }

constexpr Size MAX_CHUNKS = 64;  // maximum number of chunks of images that threads share

template <int V>
struct VectorOf {
    typedef Real Type __attribute__((vector_size(V * sizeof(Real))));
    typedef std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t> Integer;
    typedef Integer Mask __attribute__((vector_size(V * sizeof(Real))));
};
template <int V>
using Vector = typename VectorOf<V>::Type;

template <int V, int G>
constexpr int BLOCK = V > G ? V : G;

template <int V>
inline Vector<V> load(const Real* from) {
    Vector<V> vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

template <int V>
inline void store(Real* to, Vector<V> vector) {
    std::memcpy(to, &vector, sizeof vector);
}

template <int V>
inline Vector<V> relu(Vector<V> x) {
    return x < Vector<V>{} ? Vector<V>{} : x;  // keeps NaN, as PyTorch does
}

template <int V, int... lane>
inline Vector<V> shuffled(Vector<V> v) {
#ifdef __clang__
    return __builtin_shufflevector(v, v, lane...);
#else
    return __builtin_shuffle(v, typename VectorOf<V>::Mask{lane...});
#endif
}

// Broadcast channel c of each edge to all lanes of the edge.
template <int V, int G, int c, int... lane>
inline Vector<V> spread(Vector<V> v, std::integer_sequence<int, lane...>) {
    return shuffled<V, (lane / G * G + c)...>(v);
}

template <int V, int G, int c>
inline Vector<V> across(Vector<V> v) {
    return spread<V, G, c>(v, std::make_integer_sequence<int, V>{});
}

template <int G>
using Channels = std::make_integer_sequence<int, G>;

template <int V, int by, int... lane>
inline Vector<V> rotated(Vector<V> v, std::integer_sequence<int, lane...>) {
    return shuffled<V, ((lane + by) % V)...>(v);
}

// Repeat the first G lanes in every edge. Reads V numbers, of which only G are used.
template <int V, int G, int... lane>
inline Vector<V> repeated(const Real* from, std::integer_sequence<int, lane...>) {
    return shuffled<V, (lane % G)...>(load<V>(from));
}

template <int V, int G>
inline Vector<V> repeat(const Real* from) {
    if constexpr (G >= V)
        return load<V>(from);
    else
        return repeated<V, G>(from, std::make_integer_sequence<int, V>{});
}

// The sum over the edges of a vector, in its first G lanes (and repeated in the other lanes).
template <int V, int G>
inline Vector<V> over_edges(Vector<V> v) {
    constexpr auto lanes = std::make_integer_sequence<int, V>{};
    if constexpr (G <= V / 2) v += rotated<V, V / 2>(v, lanes);
    if constexpr (G <= V / 4) v += rotated<V, V / 4>(v, lanes);
    if constexpr (G <= V / 8) v += rotated<V, V / 8>(v, lanes);
    return v;
}

template <class F, int... i>
inline void each(F f, std::integer_sequence<int, i...>) {
    (f(std::integral_constant<int, i>{}), ...);
}

// Call f(N, x) for runs of N = 8, 4 or 1 neighbouring pixels that cover a row.
template <class F>
inline void runs(Size width, F f) {
    Size x = 0;
    for (; x + 8 <= width; x += 8) f(std::integral_constant<int, 8>{}, x);
    for (; x + 4 <= width; x += 4) f(std::integral_constant<int, 4>{}, x);
    for (; x < width; ++x) f(std::integral_constant<int, 1>{}, x);
}

// Sum of value(pixel) in four accumulators: short dependency chains, small rounding errors and a
// fixed order.
template <int V, class F>
inline Vector<V> sum(Size pixels, F value) {
    Vector<V> s0{}, s1{}, s2{}, s3{};
    Size p = 0;
    for (; p + 4 <= pixels; p += 4) {
        s0 += value(p), s1 += value(p + 1), s2 += value(p + 2), s3 += value(p + 3);
    }
    for (; p < pixels; ++p) s0 += value(p);
    return (s0 + s1) + (s2 + s3);
}

// Sums over `parts` arrays that lie `step` numbers apart, in the order of the parts.
inline std::vector<double> over_parts(const Real* from, Size parts, Size step, Size numbers) {
    std::vector<double> result(numbers);
    for (Size i = 0; i < parts; ++i)
        for (Size n = 0; n < numbers; ++n) result[n] += from[i * step + n];
    return result;
}

using Index = VectorOf<8>::Integer;

// from[source[i]] for i < W, or 0 if source[i] < 0. `from` has `reach` numbers and is padded to
// whole vectors.
template <int W>
inline Vector<W> picked(const Real* from, [[maybe_unused]] Size reach, const Index* source) {
    Vector<W> found{};
#ifndef __clang__  // Clang has no shuffle with a variable index
    if constexpr (W > 1) {
        typename VectorOf<W>::Mask index;
        std::memcpy(&index, source, sizeof index);
        for (Size at = 0; at < reach; at += 2 * W, index -= 2 * W) {
            const Vector<W> first = load<W>(from + at);
            const Vector<W> second = at + W < reach ? load<W>(from + at + W) : first;
            const auto here = (index >= 0) & (index < 2 * W);
            found = here ? __builtin_shuffle(first, second, index) : found;
        }
        return found;
    }
#endif
    for (int i = 0; i < W; ++i) found[i] = source[i] < 0 ? 0 : from[source[i]];
    return found;
}

// Call f(W) with the longest vector length that divides the number of channels.
template <class F>
inline void with_width(Size numbers, F f) {
    if (numbers % FITTING == 0) return f(std::integral_constant<int, FITTING>{});
    if constexpr (FITTING > 8)
        if (numbers % 8 == 0) return f(std::integral_constant<int, 8>{});
    f(std::integral_constant<int, 1>{});
}

// to[i] = from[source[i]], or 0 if source[i] < 0; plus base[i] if base is not null.
inline void permute(Size numbers, const Real* from, const Index* source, const Real* base,
                    Real* to) {
    with_width(numbers, [&](auto w) {
        for (Size i = 0; i < numbers; i += w) {
            const auto found = picked<w>(from, numbers, source + i);
            store<w>(to + i, base ? load<w>(base + i) + found : found);
        }
    });
}

// out[n, j] (+)= sum over t of weights[t, j] · in[n · STEP + offsets[t] + j]: a depthwise window.
template <int V, int N, int B, int STEP>
inline void gather(const Real* in, const Size* offsets, Size taps, const Real* weights, Real* out,
                   bool accumulate) {
    for (int j = 0; j < B; j += V) {
        Vector<V> total[N];
        for (int n = 0; n < N; ++n)
            total[n] = accumulate ? load<V>(out + n * B + j) : Vector<V>{};
        for (Size t = 0; t < taps; ++t) {
            const Vector<V> weight = load<V>(weights + t * B + j);
            const Real* from = in + offsets[t] + j;
            for (int n = 0; n < N; ++n) total[n] += weight * load<V>(from + n * STEP);
        }
        for (int n = 0; n < N; ++n) store<V>(out + n * B + j, total[n]);
    }
}

// out[n · STEP + offsets[t] + j] += weights[t, j] · in[n, j]: the transposed window.
template <int V, int N, int B, int STEP>
inline void scatter(const Real* in, const Size* offsets, Size taps, const Real* weights,
                    Real* out) {
    for (int j = 0; j < B; j += V)
        for (Size t = 0; t < taps; ++t) {
            const Vector<V> weight = load<V>(weights + t * B + j);
            for (int n = 0; n < N; ++n) {
                Real* to = out + n * STEP + offsets[t] + j;
                store<V>(to, load<V>(to) + weight * load<V>(in + n * B + j));
            }
        }
}

// gradient[t, j] += sum over n of out[n, j] · in[n · STEP + offsets[t] + j].
template <int V, int N, int B, int STEP>
inline void window_gradient(const Real* in, const Size* offsets, Size taps, const Real* out,
                            Real* gradient) {
    for (int j = 0; j < B; j += V) {
        Vector<V> of[N];
        for (int n = 0; n < N; ++n) of[n] = load<V>(out + n * B + j);
        // Several taps at once: their sums are independent chains of additions.
        const auto some = [&](auto count, Size t) {
            Vector<V> total[count];
            const Real* from[count];
            for (int i = 0; i < count; ++i) {
                total[i] = load<V>(gradient + (t + i) * B + j);
                from[i] = in + offsets[t + i] + j;
            }
            for (int n = 0; n < N; ++n)
                for (int i = 0; i < count; ++i) total[i] += of[n] * load<V>(from[i] + n * STEP);
            for (int i = 0; i < count; ++i) store<V>(gradient + (t + i) * B + j, total[i]);
        };
        Size t = 0;
        for (; t + 3 <= taps; t += 3) some(std::integral_constant<int, 3>{}, t);
        for (; t < taps; ++t) some(std::integral_constant<int, 1>{}, t);
    }
}

// matrix[c, j] += sum over n of in[n, c] · out[n, j] for V columns j and all c < rows, a multiple of
// the smaller of V and 4. Rows of `in`, `out` and `matrix` lie the given steps apart.
template <int V, int N>
inline void outer_sum(const Real* in, Size in_step, Size rows, const Real* out, Size out_step,
                      Real* matrix, Size matrix_step) {
    constexpr int AT_ONCE = V < 4 ? V : 4;  // independent chains of additions
    Vector<V> to[N];
    for (int n = 0; n < N; ++n) to[n] = load<V>(out + n * out_step);
    for (Size c = 0; c < rows; c += AT_ONCE) {
        Vector<V> row[AT_ONCE];
        for (int i = 0; i < AT_ONCE; ++i) row[i] = load<V>(matrix + (c + i) * matrix_step);
        for (int n = 0; n < N; ++n)
            for (int i = 0; i < AT_ONCE; ++i) row[i] += in[n * in_step + c + i] * to[n];
        for (int i = 0; i < AT_ONCE; ++i) store<V>(matrix + (c + i) * matrix_step, row[i]);
    }
}

// out[n, j] (+)= sum over c of in[n, c] · matrix[c, j]; row c belongs to channel c of the edge.
template <int V, int G, int N>
inline void mix(const Real* in, const Real* matrix, Real* out, bool accumulate) {
    constexpr int B = BLOCK<V, G>;
    if constexpr (G < V) {
        Vector<V> row[G];  // the matrix stays in registers
        for (int c = 0; c < G; ++c) row[c] = load<V>(matrix + c * V);
        for (int n = 0; n < N; ++n) {
            const Vector<V> from = load<V>(in + n * V);
            Vector<V> total = accumulate ? load<V>(out + n * V) : Vector<V>{};
            each([&](auto c) { total += across<V, G, c>(from) * row[c]; }, Channels<G>{});
            store<V>(out + n * V, total);
        }
    } else {
        for (int j = 0; j < B; j += V) {
            Vector<V> total[N];
            for (int n = 0; n < N; ++n)
                total[n] = accumulate ? load<V>(out + n * B + j) : Vector<V>{};
            for (int c = 0; c < G; ++c) {
                const Vector<V> row = load<V>(matrix + c * B + j);
                for (int n = 0; n < N; ++n) total[n] += in[n * B + c] * row;
            }
            for (int n = 0; n < N; ++n) store<V>(out + n * B + j, total[n]);
        }
    }
}

// matrix[c, j] += sum over n of in[n, c] · out[n, j].
template <int V, int G, int N>
inline void mix_gradient(const Real* in, const Real* out, Real* matrix) {
    constexpr int B = BLOCK<V, G>;
    if constexpr (G < V) {
        Vector<V> row[G];
        for (int c = 0; c < G; ++c) row[c] = load<V>(matrix + c * V);
        for (int n = 0; n < N; ++n) {
            const Vector<V> from = load<V>(in + n * V), to = load<V>(out + n * V);
            each([&](auto c) { row[c] += across<V, G, c>(from) * to; }, Channels<G>{});
        }
        for (int c = 0; c < G; ++c) store<V>(matrix + c * V, row[c]);
    } else {
        for (int j = 0; j < B; j += V)
            outer_sum<V, N>(in, B, G, out + j, B, matrix + j, B);
    }
}
