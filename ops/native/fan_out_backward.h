// The backward pass of fan_out.h.

#pragma once

#include "fan_out.h"

template <int V, int G>
void FanOutKernel<V, G>::backward() const {
    const Size all = lanes.total(), image_size = pixels * all, per_lane = f.batch * all;
    const auto of_block = [&](Real* images, Size image, Size block) {
        return images + image * image_size + block * pixels * B;
    };
    // Sums of g and of g · (z - mean) over the pixels of one image.
    const auto reduce = [&](const Branch& b, int slot, Size image, Size block, const Real* g,
                            const Real* z, Real* sum_g, Real* sum_gz) {
        for (Size j = 0; j < B; j += V) {
            const Size lane = block * B + j;
            const auto gradient = [&](Size p) { return load<V>(g + p * B + j); };
            if (sum_g) store<V>(sum_g + image * all + lane, sum<V>(pixels, gradient));
            const auto centre =
                b.kind == IDENTITY ? Vector<V>{} : load<V>(mean(b, slot) + lane);
            store<V>(sum_gz + image * all + lane, sum<V>(pixels, [&](Size p) {
                         return gradient(p) * (value(b, z, p, j) - centre);
                     }));
        }
    };

    // 1. The gradient of the mixtures, and its sums.
    const auto g = room(f.batch * image_size);
    Numbers image_g(per_lane), image_passing(f.batch * lanes.edges);
    std::vector<Numbers> image_gz(f.branches, Numbers(per_lane));
    for_images([&](Scratch& s, Size, Size image) {
        read_gradient(s, image, of_block(g.get(), image, 0),
                      image_passing.data() + image * lanes.edges);
        for (Size block = 0; block < lanes.blocks; ++block)
            for (Size i = 0; i < f.branches; ++i) {
                const Branch& b = f.branch[i];
                const Real* from =
                    b.kind == IDENTITY ? x(image) : z(b, last(b), image, block);
                reduce(b, last(b), image, block, of_block(g.get(), image, block), from,
                       i == 0 ? image_g.data() : nullptr, image_gz[i].data());
            }
    });
    const Numbers sum_g = total(image_g);
    std::vector<Linear> outer;
    std::fill_n(f.d_mixture, lanes.edges * f.columns, Real(0));
    for (Size i = 0; i < f.branches; ++i) {
        const Branch& b = f.branch[i];
        const Numbers sum_gz = total(image_gz[i]);
        outer.push_back(gradient_of_norm(b, last(b), true, sum_g, sum_gz));
        for_lanes([&](Size lane, Size e, Size) {
            const Real inv = b.kind == IDENTITY ? 1 : inverse(b, last(b))[lane];
            f.d_mixture[e * f.columns + b.column] += sum_gz[lane] * inv;
        });
    }
    for (Size e = 0; e < lanes.edges; ++e) {
        f.d_passing[e] = 0;
        for (Size i = 0; i < f.batch; ++i) f.d_passing[e] += image_passing[i * lanes.edges + e];
    }

    bool learns = false;
    for (Size i = 0; i < f.branches; ++i)
        for (const Real* gradient : f.branch[i].gradient) learns |= gradient != nullptr;
    if (!f.d_state && !learns) return;

    // Gradients of the kernels, separately for each chunk of images.
    std::vector<std::vector<std::unique_ptr<Kernels>>> partial(convolutions.size());
    for (auto& of_chunks : partial) of_chunks.resize(learns ? chunks : 0);
    const auto backward = [&](Scratch& s, Size i, Size chunk, Size image, Size block,
                              const Linear& norm, const Real* after, const Numbers& x, Real* dx,
                              bool add) {
        const Convolution& c = convolutions[i];
        const Branch& b = f.branch[c.branch];
        const Real* before = z(b, c.slot, image, block);
        const auto write_dz = [&](auto n, Size pixel, Real* to) {
            through_norm<n>(norm, mean(b, c.slot), after + pixel * B, before + pixel * B, block,
                            to);
        };
        const Size d = block * c.window.taps * B, p = block * G * B;
        const bool depthwise = c.depthwise >= 0 && b.gradient[c.depthwise];
        const bool pointwise = b.gradient[c.pointwise];
        Kernels* sums = nullptr;
        if (depthwise || pointwise) {
            auto& of_chunk = partial[i][chunk];
            if (!of_chunk) of_chunk = std::make_unique<Kernels>(lanes, c.window.taps);
            sums = of_chunk.get();
        }
        with_stride(c.window, [&](auto stride) {
            convolve_backward<V, G, stride>(
                c.window, x.data(), c.kernels.depthwise.data() + d,
                c.kernels.transposed.data() + p, write_dz, s.inner.data(),
                depthwise ? sums->depthwise.data() + d : nullptr,
                pointwise ? sums->pointwise.data() + p : nullptr, dx, add);
        });
    };

    // 2. Second convolutions: the gradient after the first batch norms, and its sums.
    std::vector<Room> inner(f.branches);
    std::vector<Numbers> inner_g(f.branches), inner_gz(f.branches);
    for (Size i = 0; i < f.branches; ++i)
        if (last(f.branch[i])) {
            inner[i] = room(f.batch * image_size);
            inner_g[i].resize(per_lane), inner_gz[i].resize(per_lane);
        }
    for_images([&](Scratch& s, Size chunk, Size image) {
        for (Size i = 0; i < Size(convolutions.size()); ++i) {
            const Convolution& c = convolutions[i];
            const Branch& b = f.branch[c.branch];
            if (c.slot == 0) continue;
            for (Size block = 0; block < lanes.blocks; ++block) {
                read_inner(s, b, image, block);
                backward(s, i, chunk, image, block, outer[c.branch],
                         of_block(g.get(), image, block), s.output, s.d_output.get(), false);
                const Size lane = image * all + block * B;
                mask(s, mean(b, 0) + block * B, z(b, 0, image, block),
                     of_block(inner[c.branch].get(), image, block),
                     inner_g[c.branch].data() + lane, inner_gz[c.branch].data() + lane);
            }
        }
    });
    std::vector<Linear> first = outer;
    for (Size i = 0; i < f.branches; ++i)
        if (inner[i])
            first[i] = gradient_of_norm(f.branch[i], 0, false, total(inner_g[i]),
                                        total(inner_gz[i]));

    // 3. First convolutions, pools and the identity.
    Size first_convolutions = 0;
    for (const Convolution& c : convolutions) first_convolutions += c.slot == 0;
    for_images([&](Scratch& s, Size chunk, Size image) {
        read_input(s, image);
        // The first convolution overwrites the gradient of the shared input, the others add to it.
        bool add = f.stride > 1 || first_convolutions == 0;
        if (add) std::fill_n(s.d_input.get(), input.size(), Real(0));
        for (Size block = 0; block < lanes.blocks; ++block)
            for (Size i = 0; i < Size(convolutions.size()); ++i) {
                const Convolution& c = convolutions[i];
                if (c.slot == 1) continue;
                Real* after = inner[c.branch] ? inner[c.branch].get() : g.get();
                backward(s, i, chunk, image, block, first[c.branch],
                         of_block(after, image, block), s.input,
                         f.d_state ? s.d_input.get() : nullptr, add);
                add = true;
            }
        if (f.d_state) write_gradient(s, image, of_block(g.get(), image, 0), outer);
    });

#pragma omp parallel for schedule(dynamic) num_threads(f.threads) if (learns)
    for (Size i = 0; i < Size(convolutions.size()); ++i) {
        const Convolution& c = convolutions[i];
        const auto over_chunks = [&](Numbers Kernels::* kind) {
            std::vector<double> sums((*partial[i][0].*kind).size());
            for (const auto& kernels : partial[i])
                for (std::size_t w = 0; w < sums.size(); ++w) sums[w] += (*kernels.*kind)[w];
            return sums;
        };
        Real* const* gradient = f.branch[c.branch].gradient;
        if (c.depthwise >= 0 && gradient[c.depthwise]) {
            const auto sums = over_chunks(&Kernels::depthwise);
            for_depthwise(lanes, c.window.taps, [&](Size packed, Size plain) {
                gradient[c.depthwise][plain] = sums[packed];
            });
        }
        if (gradient[c.pointwise]) {
            const auto sums = over_chunks(&Kernels::pointwise);
            for_pointwise(lanes, c.first, c.outputs, [&](Size packed, Size, Size plain) {
                gradient[c.pointwise][plain] = sums[packed];
            });
        }
    }
}

// Backward of the ReLU before the second convolution: writes the gradient after the first batch
// norm, g [pixels, block], and its sums over the pixels of g and of g · (z - mean), each [block].
template <int V, int G>
void FanOutKernel<V, G>::mask(const Scratch& s, const Real* mean, const Real* z, Real* g,
                              Real* sum_g, Real* sum_gz) const {
    for (Size j = 0; j < B; j += V) {
        const auto centre = load<V>(mean + j);
        Vector<V> of_g[4] = {}, of_gz[4] = {};
        for (Size y = 0; y < output.height; ++y) {
            const Real* input = s.output.data() + output.at(y, 0) + j;
            const Real* gradient = s.d_output.get() + output.at(y, 0) + j;
            const auto pixel = [&](Size x, int chain) {
                const Size at = (y * output.width + x) * B + j;
                const auto masked = load<V>(input + x * B) > Vector<V>{}
                                        ? load<V>(gradient + x * B)
                                        : Vector<V>{};
                store<V>(g + at, masked);
                of_g[chain] += masked;
                of_gz[chain] += masked * (load<V>(z + at) - centre);
            };
            Size x = 0;
            for (; x + 4 <= output.width; x += 4)
                pixel(x, 0), pixel(x + 1, 1), pixel(x + 2, 2), pixel(x + 3, 3);
            for (; x < output.width; ++x) pixel(x, 0);
        }
        store<V>(sum_g + j, (of_g[0] + of_g[1]) + (of_g[2] + of_g[3]));
        store<V>(sum_gz + j, (of_gz[0] + of_gz[1]) + (of_gz[2] + of_gz[3]));
    }
}

// The gradient of the state, from those of the ReLU, the pools and the identity.
template <int V, int G>
void FanOutKernel<V, G>::write_gradient(Scratch& s, Size image, const Real* g,
                                        const std::vector<Linear>& outer) const {
    // Sum over the edges of scale · g, and of slope · (z - mean) + constant, in `group` lanes.
    const auto gather_edges = [&](const Linear& norm, Size p, Size j) {
        Vector<V> total{};
        for (Size block = 0; block < lanes.blocks; ++block)
            total += load<V>(norm.scale.data() + block * B + j) *
                     load<V>(g + (block * pixels + p) * B + j);
        return over_edges<V, G>(total);
    };
    const auto over_blocks = [&](const Numbers& of_lanes, Size j) {
        Vector<V> total{};
        for (Size block = 0; block < lanes.blocks; ++block)
            total += load<V>(of_lanes.data() + block * B + j);
        return over_edges<V, G>(total);
    };
    const Real* in = x(image);
    // Write in ascending order: vectors of V numbers may overlap the next pixel.
    for (Size y = 0; y < f.height; ++y)
        for (Size x = 0; x < f.width; ++x)
            for (Size j = 0; j < B; j += V) {
                const auto total =
                    over_edges<V, G>(load<V>(s.d_input.get() + input.at(y, x) + j));
                const Size at = (y * f.width + x) * G + j;
                store<V>(s.dx.get() + at,
                         load<V>(in + at) > Vector<V>{} ? total : Vector<V>{});
            }
    constexpr Size group = G < V ? G : V;
    for (Size i = 0; i < f.branches; ++i) {
        const Branch& b = f.branch[i];
        if (convolves(b)) continue;
        Real* to = b.kind == IDENTITY ? s.dx.get() : s.dz.get();
        for (Size j = 0; j < B; j += V) {
            Vector<V> slope{}, constant{}, centre{};
            if (pools(b)) {
                slope = over_blocks(outer[i].slope, j);
                constant = over_blocks(outer[i].constant, j);
                centre = load<V>(mean(b, 0) + j);
            }
            const Real* from = pools(b) ? z(b, 0, image, 0) : in;
            for (Size p = 0; p < pixels; ++p) {
                const Size at = p * G + j;
                Vector<V> result = gather_edges(outer[i], p, j);
                if (pools(b)) result += slope * (load<V>(from + at) - centre) + constant;
                if (b.kind == IDENTITY) result += load<V>(to + at);
                std::memcpy(to + at, &result, group * sizeof(Real));
            }
        }
        if (pools(b))
            pooling().backward(b.kind == MAX_POOL, in, z(b, 0, image, 0), s.dz.get(),
                               s.dx.get());
    }
    const Size begin = image * source_pixels * f.channels;
    Real* to = f.d_state + begin;
    // If channels bypass, pass_on has already written their gradients and the base.
    const Real* base = f.channels > lanes.channels ? to : f.base ? f.base + begin : nullptr;
    for (Size p = 0; p < source_pixels; ++p, to += f.channels) {
        const Real* from = s.dx.get() + p * G;
        if (reads_first) {
            for (Size j = 0; j < G; j += group) {
                const auto gradient = load<group>(from + j);
                store<group>(to + j, base ? load<group>(base + j) + gradient : gradient);
            }
        } else {
            for (Size c = 0; c < lanes.channels; ++c)
                to[f.order[c]] = from[c] + (base ? base[f.order[c]] : 0);
        }
        if (base) base += f.channels;
    }
}
