// All candidate operations on all edges that leave one state, added to the target states.
//
// Forward: three passes over the images, separated by barriers for the batch statistics.
//   1. first convolutions and pools -> z, moments      2. second convolutions -> z, moments
//   3. mixture of the normalised z, bypassed channels -> added to the target states
// Backward:
//   1. gradient of the mixture, sums of gradient and gradient · z    2. second convolutions
//   3. first convolutions, pools, identity -> gradient of the state
// The backward pass needs z (the input of each batch norm) and the statistics of the batch norms.
//
// Sums over images are first computed per image (for weights: per chunk) and then added in a fixed
// order. Results therefore do not depend on the number of threads.

#pragma once

#include <omp.h>

#include <cmath>

#include "call.h"
#include "pooling.h"

template <int V, int G>
class FanOutKernel {
    static constexpr Size B = BLOCK<V, G>;

    struct Convolution {
        Size branch, slot;
        int depthwise, pointwise;   // indices into the weights, -1 for none
        Size first, outputs;        // its output channels: the first one and their number
        Sliding window;
        Kernels kernels;
    };

    // Buffers of one thread for one image at a time. Planes have borders of zeros.
    struct Scratch {
        Numbers input, output, inner;
        Room dx, d_input, d_output, dz, mixed, rows;
        explicit Scratch(const FanOutKernel& k)
            : input(k.input.size()), output(k.output.size()), inner(k.output.size()),
              dx(room(k.source_pixels * G + V)), d_input(room(k.input.size())),
              d_output(room(k.output.size())), dz(room(k.pixels * B + V)),
              mixed(room(k.pixels * k.lanes.total() + FITTING)),
              rows(room((2 * k.output.width + 1 + k.lanes.edges) * k.f.channels)) {}
    };

    const FanOut& f;
    const Lanes lanes;
    const Plane input, output;
    const Size pixels, source_pixels, chunks;
    bool reads_first;  // whether the first channels of the state are processed and fill a group
    std::vector<Index> to_target, to_state;  // source of each bypassed channel, and the inverse
    std::vector<Index> placed;  // [channels]: the processed channel at this position of a target
    std::vector<Index> taken;   // [edges of a block, block]: the target channel that a lane reads
    std::vector<Convolution> convolutions;
    mutable std::vector<std::unique_ptr<Scratch>> scratches;  // one per thread, zero borders

    static Size border(const FanOut& f) {
        Size result = 0;
        for (const Branch* b = f.branch; b < f.branch + f.branches; ++b)
            if (b->kind >= SEPARABLE)
                result = std::max(result, (b->kind == DILATED ? 2 : 1) * (b->kernel - 1) / 2);
        return result;
    }

    static bool pools(const Branch& b) { return b.kind == MAX_POOL || b.kind == AVG_POOL; }
    static bool convolves(const Branch& b) { return b.kind >= REDUCE; }
    static int last(const Branch& b) { return b.kind == SEPARABLE ? 1 : 0; }

    Real* z(const Branch& b, int slot, Size image, Size block) const {
        return pools(b) ? b.z[slot] + image * pixels * G
                        : b.z[slot] + (image * lanes.blocks + block) * pixels * B;
    }
    const Real* mean(const Branch& b, int slot) const { return b.norm[slot]; }
    const Real* inverse(const Branch& b, int slot) const { return b.norm[slot] + lanes.total(); }

    // z (or x) of a pixel in the lanes of a block; pools and identity share it between all edges.
    Vector<V> value(const Branch& b, const Real* of, Size pixel, Size j) const {
        return !convolves(b) ? repeat<V, G>(of + pixel * G + j)
                        : load<V>(of + pixel * B + j);
    }

    template <class F>
    static void with_stride(const Sliding& window, F run) {
        if (window.stride == 1)
            run(std::integral_constant<int, 1>{});
        else
            run(std::integral_constant<int, 2>{});
    }

    template <class F>
    void for_lanes(F f_lane) const {
        for (Size e = 0; e < lanes.edges; ++e)
            for (Size c = 0; c < lanes.channels; ++c) f_lane(lanes.of(e, c), e, c);
    }

    template <class F>
    void for_images(F body) const {
#pragma omp parallel num_threads(f.threads)
        {
            auto& scratch = scratches[omp_get_thread_num()];
            if (!scratch) scratch = std::make_unique<Scratch>(*this);
#pragma omp for schedule(dynamic)
            for (Size chunk = 0; chunk < chunks; ++chunk)
                for (Size image = chunk * f.batch / chunks;
                     image < (chunk + 1) * f.batch / chunks; ++image)
                    body(*scratch, chunk, image);
        }
    }

    void add_convolutions() {
        const Size part = lanes.channels / 2;
        for (Size i = 0; i < f.branches; ++i) {
            const Branch& b = f.branch[i];
            const auto add = [&](Size slot, int depthwise, int pointwise, Size first, Size outputs,
                                 Window window, const Plane& from, Size stride) {
                convolutions.push_back(
                    {i, slot, depthwise, pointwise, first, outputs,
                     Sliding(window, from, output, stride),
                     pack(lanes, window.taps(), depthwise < 0 ? nullptr : b.weight[depthwise],
                          b.weight[pointwise], first, outputs)});
            };
            const Size dilation = b.kind == DILATED ? 2 : 1;
            const Window window{b.kernel, dilation, -dilation * (b.kernel - 1) / 2};
            if (b.kind == REDUCE) {
                add(0, -1, 0, 0, part, Window{1, 1, 0}, input, 2);
                add(0, -1, 1, part, part, Window{1, 1, 1}, input, 2);
            }
            if (b.kind >= SEPARABLE) add(0, 0, 1, 0, lanes.channels, window, input, f.stride);
            if (b.kind == SEPARABLE) add(1, 2, 3, 0, lanes.channels, window, output, 1);
        }
    }

    // x [pixels, group]: the processed channels; input: ReLU(x), repeated for all edges.
    Real* x(Size image) const { return f.x + image * source_pixels * G; }
    void read_state(Size image) const {
        const Real* from = f.state + image * source_pixels * f.channels;
        Real* to = x(image);
        for (Size p = 0; p < source_pixels; ++p, from += f.channels, to += G) {
            if (reads_first) {
                std::memcpy(to, from, G * sizeof(Real));
                continue;
            }
            for (Size c = 0; c < lanes.channels; ++c) to[c] = from[f.order[c]];
            for (Size c = lanes.channels; c < G; ++c) to[c] = 0;
        }
    }
    void read_input(Scratch& s, Size image) const {
        const Real* from = x(image);
        for (Size y = 0; y < f.height; ++y)
            for (Size x = 0; x < f.width; ++x, from += G)
                for (Size j = 0; j < B; j += V)
                    store<V>(s.input.data() + input.at(y, x) + j,
                             relu<V>(repeat<V, G>(from + j)));
    }

    // Input of the second convolution: ReLU of the normalised z of the first one.
    void read_inner(Scratch& s, const Branch& b, Size image, Size block) const {
        const Real* from = z(b, 0, image, block);
        for (Size j = 0; j < B; j += V) {
            const auto centre = load<V>(mean(b, 0) + block * B + j);
            const auto scale = load<V>(inverse(b, 0) + block * B + j);
            for (Size y = 0; y < output.height; ++y)
                for (Size x = 0; x < output.width; ++x, from += B)
                    store<V>(s.output.data() + output.at(y, x) + j,
                             relu<V>((load<V>(from + j) - centre) * scale));
            from -= pixels * B;
        }
    }

    // Mean and sum of squared deviations of each lane of one image: [batch, 2, lanes].
    void moments(const Branch& b, int slot, Size image, Real* result) const {
        result += image * 2 * lanes.total();
        for (Size block = 0; block < lanes.blocks; ++block)
            for (Size j = 0; j < B; j += V) {
                const Real* from = z(b, slot, image, block);
                const auto centre =
                    sum<V>(pixels, [&](Size p) { return value(b, from, p, j); }) / Real(pixels);
                const auto square = sum<V>(pixels, [&](Size p) {
                    const auto distance = value(b, from, p, j) - centre;
                    return distance * distance;
                });
                store<V>(result + block * B + j, centre);
                store<V>(result + lanes.total() + block * B + j, square);
            }
    }

    // Merge the moments [batch, 2, lanes] of all images and update the running statistics.
    void finish_norm(const Branch& b, int slot, const Real* moments) const {
        const Size all = lanes.total();
        const double images = f.batch, count = images * pixels;
        std::vector<double> centre(all), variance(all);
        if (f.training) {
            centre = over_parts(moments, f.batch, 2 * all, all);
            for (double& one : centre) one /= images;
            variance = over_parts(moments + all, f.batch, 2 * all, all);
            for (Size i = 0; i < f.batch; ++i)
                for (Size lane = 0; lane < all; ++lane) {
                    const double distance = moments[i * 2 * all + lane] - centre[lane];
                    variance[lane] += pixels * distance * distance;
                }
        }
        for_lanes([&](Size lane, Size e, Size c) {
            Real* running[2];
            for (int i = 0; i < 2; ++i)
                running[i] = b.running[2 * slot + i] + (pools(b) ? c : e * lanes.channels + c);
            if (!f.training) {
                centre[lane] = *running[0], variance[lane] = *running[1];
            } else {
                variance[lane] /= count;
                if (!pools(b) || e == 0) {
                    *running[0] += f.momentum * (centre[lane] - *running[0]);
                    *running[1] +=
                        f.momentum * (variance[lane] * count / (count - 1) - *running[1]);
                }
            }
            b.norm[slot][lane] = centre[lane];
            b.norm[slot][all + lane] = 1 / std::sqrt(variance[lane] + f.eps);
        });
    }

    Pooling pooling() const { return {f.height, f.width, G, f.stride}; }

    // The first lane of an edge in an image [blocks, pixels, block].
    template <class Pointer>
    Pointer of_edge(Pointer image, Size edge) const {
        const Size lane = lanes.of(edge, 0);
        return image + lane / B * pixels * B + lane % B;
    }

    // Defined in placement.h: data movement between a state and the targets of its edges.
    void read_passing(const Real* state, Size y, Real* pixel, Real* row) const;
    void place(Scratch&, Size image) const;
    void take(Size image, Size pixel, Size block, Real* to) const;
    void read_gradient(Scratch&, Size image, Real* g, Real* d_passing) const;
    void pass_edges_on(Size row, const Real* values, Real* gradients, Real* products) const;
    void pass_on(const Real* state, Size image, Size y, const Real* gradients, Real* pixel) const;

    // The gradient of a batch norm and its weight, w · (z - mean) · inverse, in each lane:
    // scale · g + slope · (z - mean) + constant.
    struct Linear {
        Numbers scale, slope, constant;
        explicit Linear(Size lanes) : scale(lanes), slope(lanes), constant(lanes) {}
    };

    Linear gradient_of_norm(const Branch& b, int slot, bool weighted, const Numbers& sum_g,
                            const Numbers& sum_gz) const {
        Linear result(lanes.total());
        const double count = f.batch * pixels;
        for_lanes([&](Size lane, Size e, Size) {
            const double inv = b.kind == IDENTITY ? 1 : inverse(b, slot)[lane];
            const double scale = inv * (weighted ? f.mixture[e * f.columns + b.column] : 1);
            result.scale[lane] = scale;
            if (f.training && b.kind != IDENTITY) {
                result.slope[lane] = -scale * inv * inv * sum_gz[lane] / count;
                result.constant[lane] = -scale * sum_g[lane] / count;
            }
        });
        return result;
    }

    // Backward of a batch norm for N pixels of a block: g -> dz, both [pixels, block].
    template <int N>
    void through_norm(const Linear& norm, const Real* mean, const Real* g, const Real* z,
                      Size block, Real* dz) const {
        for (Size j = 0; j < B; j += V) {
            const Size lane = block * B + j;
            const auto scale = load<V>(norm.scale.data() + lane);
            const auto slope = load<V>(norm.slope.data() + lane);
            const auto constant = load<V>(norm.constant.data() + lane);
            const auto centre = load<V>(mean + lane);
            for (Size p = j; p < N * B; p += B)
                store<V>(dz + p, scale * load<V>(g + p) + slope * (load<V>(z + p) - centre) +
                                     constant);
        }
    }

    // Sum of [batch, lanes] over the images.
    Numbers total(const Numbers& of_images) const {
        const auto sums = over_parts(of_images.data(), f.batch, lanes.total(), lanes.total());
        return Numbers(sums.begin(), sums.end());
    }

   public:
    explicit FanOutKernel(const FanOut& f)
        : f(f), lanes(f.lanes), input{f.height, f.width, border(f), B},
          output{(f.height - 1) / f.stride + 1, (f.width - 1) / f.stride + 1, border(f),
                 B},
          pixels(output.height * output.width), source_pixels(f.height * f.width),
          chunks(std::min(f.batch, MAX_CHUNKS)), to_target(f.channels, -1),
          to_state(f.channels, -1), placed(f.channels, -1), taken(B / G * B, -1),
          scratches(f.threads) {
        reads_first = lanes.channels == G;
        for (Size c = 0; c < lanes.channels; ++c) {
            reads_first &= f.order[c] == c;
            placed[f.place[c]] = c;
            for (Size e = 0; e < B / G; ++e) taken[e * B + e * G + c] = f.place[c];
        }
        for (Size i = lanes.channels; i < f.channels; ++i) {
            to_target[f.place[i]] = f.order[i];
            to_state[f.order[i]] = f.place[i];
        }
        add_convolutions();
    }

    void forward() const {
        const Size norm = f.batch * 2 * lanes.total();
        Numbers moment(f.training ? 2 * f.branches * norm : 0);
        const auto measure = [&](Size branch, int slot, Size image) {
            if (f.training)
                moments(f.branch[branch], slot, image, moment.data() + (2 * branch + slot) * norm);
        };
        const auto convolution = [&](Scratch& s, const Convolution& c, Size block, Size image) {
            const Numbers& from = c.slot ? s.output : s.input;
            const auto run = [&](auto stride) {
                convolve<V, G, stride>(
                    c.window, from.data(),
                    c.kernels.depthwise.data() + block * c.window.taps * B,
                    c.kernels.pointwise.data() + block * G * B,
                    z(f.branch[c.branch], c.slot, image, block), c.first > 0);
            };
            with_stride(c.window, run);
        };
        for_images([&](Scratch& s, Size, Size image) {
            read_state(image);
            read_input(s, image);
            for (Size block = 0; block < lanes.blocks; ++block)
                for (const Convolution& c : convolutions)
                    if (c.slot == 0) convolution(s, c, block, image);
            for (Size i = 0; i < f.branches; ++i) {
                const Branch& b = f.branch[i];
                if (pools(b)) pooling().forward(b.kind == MAX_POOL, x(image), z(b, 0, image, 0));
                if (b.kind != IDENTITY) measure(i, 0, image);
            }
        });
        for (Size i = 0; i < f.branches; ++i)
            if (f.branch[i].kind != IDENTITY)
                finish_norm(f.branch[i], 0, moment.data() + 2 * i * norm);

        for_images([&](Scratch& s, Size, Size image) {
            for (const Convolution& c : convolutions)
                if (c.slot == 1) {
                    for (Size block = 0; block < lanes.blocks; ++block) {
                        read_inner(s, f.branch[c.branch], image, block);
                        convolution(s, c, block, image);
                    }
                    measure(c.branch, 1, image);
                }
        });
        for (Size i = 0; i < f.branches; ++i)
            if (last(f.branch[i])) finish_norm(f.branch[i], 1, moment.data() + (2 * i + 1) * norm);
        mix_branches();
    }

   private:
    void mix_branches() const {
        std::vector<Numbers> scale(f.branches, Numbers(lanes.total()));
        Numbers constant(lanes.total());
        for (Size i = 0; i < f.branches; ++i)
            for_lanes([&](Size lane, Size e, Size) {
                const Branch& b = f.branch[i];
                const Real weight = f.mixture[e * f.columns + b.column];
                const bool normed = b.kind != IDENTITY;
                scale[i][lane] = weight * (normed ? inverse(b, last(b))[lane] : 1);
                if (normed) constant[lane] -= scale[i][lane] * mean(b, last(b))[lane];
            });
        for_images([&](Scratch& s, Size, Size image) {
            for (Size block = 0; block < lanes.blocks; ++block)
                for (Size j = 0; j < B; j += V) {
                    const Size lane = block * B + j;
                    Real* to = s.mixed.get() + block * pixels * B + j;
                    runs(pixels, [&](auto n, Size p) {
                        Vector<V> mixed[n];
                        for (int k = 0; k < n; ++k) mixed[k] = load<V>(constant.data() + lane);
                        for (Size i = 0; i < f.branches; ++i) {
                            const Branch& b = f.branch[i];
                            const auto by = load<V>(scale[i].data() + lane);
                            const Real* from = b.kind == IDENTITY ? x(image)
                                                                  : z(b, last(b), image, block);
                            if (convolves(b))
                                for (int k = 0; k < n; ++k)
                                    mixed[k] += by * load<V>(from + (p + k) * B + j);
                            else
                                for (int k = 0; k < n; ++k)
                                    mixed[k] += by * repeat<V, G>(from + (p + k) * G + j);
                        }
                        for (int k = 0; k < n; ++k) store<V>(to + (p + k) * B, mixed[k]);
                    });
                }
            place(s, image);
        });
    }

    void mask(const Scratch&, const Real* mean, const Real* z, Real* g, Real* sum_g,
              Real* sum_gz) const;
    void write_gradient(Scratch&, Size image, const Real* g, const std::vector<Linear>&) const;

   public:
    void backward() const;
};
