// Preprocessing of a cell's input: ReLU, 1x1 convolution, batch norm without affine parameters.
//
// Several readers may share an input, because a cell's output goes to the next two cells. The input
// is read once for all of them, and its gradient is written once. A reader with two kernels is the
// factorised reduction with stride 2: the second kernel computes the second half of the channels
// and reads the pixel one row further down and one column further right.

#include <algorithm>
#include <cmath>

#include "lanes.h"

extern "C" {
struct Input {
    Size batch, height, width, channels, pieces, training, threads;
    const Real* const* x;  // pieces of the channels [batch, height, width, channels / pieces]
    Real* const* dx;       // null if not needed
};

struct Reader {
    Size outputs, parts;
    double eps, momentum;
    const Real* weight[2];  // [outputs / parts, channels]
    Real* gradient[2];      // null if not needed
    Real* running[2];       // running mean and variance
    Real* y;                // [batch, height / parts, width / parts, outputs]
    Real* inverse;          // [outputs]: 1 / standard deviation, saved for the backward pass
    const Real* dy;
};
}

// The steps of one reader: on one image, and between two passes over all images.
class Kernel {
   public:
    virtual ~Kernel() = default;
    virtual Size scratch() const = 0;  // size of the buffer, in numbers
    virtual void project(Real* scratch, Size image) = 0;
    virtual void finish_statistics() = 0;
    virtual void normalise(Size image) const = 0;
    virtual void reduce(Size image) = 0;
    virtual void finish_sums() = 0;
    virtual void give(Real* scratch, Size chunk, Size image, bool add) = 0;
    virtual void finish_gradients() const = 0;
};

template <int V>
class KernelOf : public Kernel {
    const Input in;
    const Reader r;
    const Size piece, part, height, width, pixels;
    std::vector<Numbers> weight, transposed;  // [channels, part], [part, channels]
    Numbers sums[2];                          // [batch, outputs]: moments or sums of gradients
    Numbers centre, slope, constant;          // dz = inverse · g + slope · y + constant
    std::vector<Numbers> partial;             // gradients of the kernels per chunk of images

    // The input pixel that kernel k reads for output pixel (y, x).
    Size source(Size image, Size k, Size y, Size x) const {
        return (image * in.height + y * r.parts + k) * in.width + x * r.parts + k;
    }

    // Call f(channel, position in the piece, piece) for each vector of a pixel.
    template <class F>
    void vectors(Size pixel, F f) const {
        for (Size q = 0; q < in.pieces; ++q)
            for (Size c = 0; c < piece; c += V) f(q * piece + c, pixel * piece + c, q);
    }

    // ReLU of the inputs of kernel k for output pixels (y, x) to (y, x + N - 1): [N, channels].
    template <int N>
    void read(Real* span, Size image, Size k, Size y, Size x) const {
        for (int n = 0; n < N; ++n)
            vectors(source(image, k, y, x + n), [&](Size c, Size at, Size q) {
                store<V>(span + n * in.channels + c, relu<V>(load<V>(in.x[q] + at)));
            });
    }

    static constexpr int AT_ONCE = V < 4 ? V : 4;  // rows of a matrix; the channels are whole vectors

    // to [N, columns] = from [N, rows; step] · matrix [rows, columns]
    template <int N>
    static void multiply(const Real* from, Size step, const Real* matrix, Size rows, Size columns,
                         Real* to, Size to_step) {
        const auto strip = [&](auto w, Size j) {  // w: number of vectors of columns
            Vector<V> sums[N][w];
            for (int n = 0; n < N; ++n)
                for (int i = 0; i < w; ++i) sums[n][i] = Vector<V>{};
            const Real* at[N];
            for (int n = 0; n < N; ++n) at[n] = from + n * step;
            for (Size c = 0; c < rows; c += AT_ONCE)
                for (int k = 0; k < AT_ONCE; ++k) {
                    Vector<V> row[w];
                    const Real* of_row = matrix + (c + k) * columns + j;
                    for (int i = 0; i < w; ++i) row[i] = load<V>(of_row + i * V);
                    for (int n = 0; n < N; ++n)
                        for (int i = 0; i < w; ++i) sums[n][i] += at[n][c + k] * row[i];
                }
            for (int n = 0; n < N; ++n)
                for (int i = 0; i < w; ++i) store<V>(to + n * to_step + j + i * V, sums[n][i]);
        };
        Size j = 0;
        for (; STRIP == 2 && j + 2 * V <= columns; j += 2 * V)
            strip(std::integral_constant<int, 2>{}, j);
        for (; j < columns; j += V) strip(std::integral_constant<int, 1>{}, j);
    }

    // dz [N, outputs] -> the gradients of kernel k [channels, part] and of its inputs.
    template <int N>
    void give_run(const Real* dz, Real* span, Size image, Size k, Size y, Size x, Real* gradient,
                  bool add) const {
        if (gradient) {
            read<N>(span, image, k, y, x);
            for (Size j = 0; j < part; j += V)
                outer_sum<V, N>(span, in.channels, in.channels, dz + j, r.outputs, gradient + j,
                                part);
        }
        if (!in.dx) return;
        multiply<N>(dz, r.outputs, transposed[k].data(), part, in.channels, span, in.channels);
        for (int n = 0; n < N; ++n)
            vectors(source(image, k, y, x + n), [&](Size c, Size at, Size q) {
                auto result = load<V>(in.x[q] + at) > Vector<V>{}
                                  ? load<V>(span + n * in.channels + c)
                                  : Vector<V>{};
                if (add) result += load<V>(in.dx[q] + at);
                store<V>(in.dx[q] + at, result);
            });
    }

   public:
    KernelOf(const Input& in, const Reader& r)
        : in(in), r(r), piece(in.channels / in.pieces), part(r.outputs / r.parts),
          height(in.height / r.parts), width(in.width / r.parts), pixels(height * width),
          centre(r.outputs), slope(r.outputs), constant(r.outputs) {
        for (Numbers& of_images : sums) of_images.resize(in.batch * r.outputs);
        for (Size k = 0; k < r.parts; ++k) {
            transposed.emplace_back(r.weight[k], r.weight[k] + part * in.channels);
            weight.emplace_back(in.channels * part);
            for (Size o = 0; o < part; ++o)
                for (Size c = 0; c < in.channels; ++c)
                    weight[k][c * part + o] = r.weight[k][o * in.channels + c];
        }
    }

    Size scratch() const override { return 8 * (in.channels + r.outputs); }

    void project(Real* span, Size image) override {
        Real* out = r.y + image * pixels * r.outputs;
        for (Size y = 0; y < height; ++y)
            runs(width, [&](auto n, Size x) {
                for (Size k = 0; k < r.parts; ++k) {
                    read<n>(span, image, k, y, x);
                    multiply<n>(span, in.channels, weight[k].data(), in.channels, part,
                                out + (y * width + x) * r.outputs + k * part, r.outputs);
                }
            });
        for (Size j = 0; in.training && j < r.outputs; j += V) {
            const auto value = [&](Size i) { return load<V>(out + i * r.outputs + j); };
            const auto mean = sum<V>(pixels, value) / Real(pixels);
            store<V>(sums[0].data() + image * r.outputs + j, mean);
            store<V>(sums[1].data() + image * r.outputs + j, sum<V>(pixels, [&](Size i) {
                         const auto distance = value(i) - mean;
                         return distance * distance;
                     }));
        }
    }

    void finish_statistics() override {
        const double count = double(in.batch) * pixels;
        std::vector<double> mean(r.running[0], r.running[0] + r.outputs);
        std::vector<double> variance(r.running[1], r.running[1] + r.outputs);
        if (in.training) {
            mean = over_parts(sums[0].data(), in.batch, r.outputs, r.outputs);
            for (double& one : mean) one /= in.batch;
            variance = over_parts(sums[1].data(), in.batch, r.outputs, r.outputs);
            for (Size i = 0; i < in.batch; ++i)
                for (Size o = 0; o < r.outputs; ++o) {
                    const double distance = sums[0][i * r.outputs + o] - mean[o];
                    variance[o] += pixels * distance * distance;
                }
        }
        for (Size o = 0; o < r.outputs; ++o) {
            if (in.training) {
                variance[o] /= count;
                r.running[0][o] += r.momentum * (mean[o] - r.running[0][o]);
                r.running[1][o] +=
                    r.momentum * (variance[o] * count / (count - 1) - r.running[1][o]);
            }
            centre[o] = mean[o];
            r.inverse[o] = 1 / std::sqrt(variance[o] + r.eps);
        }
    }

    void normalise(Size image) const override {
        Real* out = r.y + image * pixels * r.outputs;
        for (Size j = 0; j < r.outputs; j += V) {
            const auto mean = load<V>(centre.data() + j), scale = load<V>(r.inverse + j);
            for (Size i = j; i < pixels * r.outputs; i += r.outputs)
                store<V>(out + i, (load<V>(out + i) - mean) * scale);
        }
    }

    void reduce(Size image) override {
        const Size at = image * pixels * r.outputs;
        for (Size j = 0; in.training && j < r.outputs; j += V) {
            const auto g = [&](Size i) { return load<V>(r.dy + at + i * r.outputs + j); };
            const auto y = [&](Size i) { return load<V>(r.y + at + i * r.outputs + j); };
            store<V>(sums[0].data() + image * r.outputs + j, sum<V>(pixels, g));
            store<V>(sums[1].data() + image * r.outputs + j,
                     sum<V>(pixels, [&](Size i) { return g(i) * y(i); }));
        }
    }

    void finish_sums() override {
        const auto sum_g = over_parts(sums[0].data(), in.batch, r.outputs, r.outputs);
        const auto sum_gy = over_parts(sums[1].data(), in.batch, r.outputs, r.outputs);
        const double count = double(in.batch) * pixels;
        for (Size o = 0; o < r.outputs; ++o) {
            slope[o] = -r.inverse[o] * sum_gy[o] / count;
            constant[o] = -r.inverse[o] * sum_g[o] / count;
        }
        if (r.gradient[0]) partial.resize(std::min(in.batch, MAX_CHUNKS));
    }

    void give(Real* span, Size chunk, Size image, bool add) override {
        Real* const x_span = span + 8 * r.outputs;
        if (r.gradient[0]) partial[chunk].resize(in.channels * r.outputs);
        for (Size y = 0; y < height; ++y)
            runs(width, [&](auto n, Size x) {
                const Size at = ((image * height + y) * width + x) * r.outputs;
                for (int i = 0; i < n; ++i)
                    for (Size j = 0; j < r.outputs; j += V) {
                        const Size here = at + i * r.outputs + j;
                        store<V>(span + i * r.outputs + j,
                                 load<V>(r.inverse + j) * load<V>(r.dy + here) +
                                     load<V>(slope.data() + j) * load<V>(r.y + here) +
                                     load<V>(constant.data() + j));
                    }
                for (Size k = 0; k < r.parts; ++k) {
                    Real* gradient = r.gradient[0] ? partial[chunk].data() + k * part * in.channels
                                                   : nullptr;
                    give_run<n>(span + k * part, x_span, image, k, y, x, gradient, add);
                }
            });
    }

    void finish_gradients() const override {
        if (!r.gradient[0]) return;
        std::vector<double> total(in.channels * r.outputs);
        for (const Numbers& of_chunk : partial)
            for (std::size_t i = 0; i < total.size(); ++i) total[i] += of_chunk[i];
        for (Size k = 0; k < r.parts; ++k)
            for (Size o = 0; o < part; ++o)
                for (Size c = 0; c < in.channels; ++c)
                    r.gradient[k][o * in.channels + c] = total[(k * in.channels + c) * part + o];
    }
};

class Preprocessing {
    const Input& in;
    std::vector<std::unique_ptr<Kernel>> kernels;

    static std::unique_ptr<Kernel> make(const Input& in, const Reader& r) {
        const auto divides = [&](Size v) {
            return in.channels / in.pieces % v == 0 && r.outputs / r.parts % v == 0;
        };
        if constexpr (FITTING >= 16)
            if (divides(16)) return std::make_unique<KernelOf<16>>(in, r);
        if constexpr (FITTING >= 8)
            if (divides(8)) return std::make_unique<KernelOf<8>>(in, r);
        if (divides(4)) return std::make_unique<KernelOf<4>>(in, r);
        return std::make_unique<KernelOf<1>>(in, r);
    }

    template <class F>
    void for_images(F body) const {
        const Size chunks = std::min(in.batch, MAX_CHUNKS);
        Size numbers = 0;
        for (const auto& kernel : kernels) numbers = std::max(numbers, kernel->scratch());
#pragma omp parallel num_threads(in.threads)
        {
            Numbers scratch(numbers);
#pragma omp for schedule(dynamic)
            for (Size chunk = 0; chunk < chunks; ++chunk)
                for (Size image = chunk * in.batch / chunks;
                     image < (chunk + 1) * in.batch / chunks; ++image)
                    body(scratch.data(), chunk, image);
        }
    }

   public:
    Preprocessing(const Input& in, const Reader* readers, Size count) : in(in) {
        for (Size i = 0; i < count; ++i) kernels.push_back(make(in, readers[i]));
    }

    void forward() const {
        for_images([&](Real* scratch, Size, Size image) {
            for (const auto& kernel : kernels) kernel->project(scratch, image);
        });
        for (const auto& kernel : kernels) kernel->finish_statistics();
        for_images([&](Real*, Size, Size image) {
            for (const auto& kernel : kernels) kernel->normalise(image);
        });
    }

    // The first reader overwrites the gradient of the input, the other readers add to it.
    void backward() const {
        for_images([&](Real*, Size, Size image) {
            for (const auto& kernel : kernels) kernel->reduce(image);
        });
        for (const auto& kernel : kernels) kernel->finish_sums();
        for_images([&](Real* scratch, Size chunk, Size image) {
            for (const auto& kernel : kernels)
                kernel->give(scratch, chunk, image, kernel != kernels.front());
        });
        for (const auto& kernel : kernels) kernel->finish_gradients();
    }
};

extern "C" void preprocess_forward(const Input* in, const Reader* readers, Size count) {
    Preprocessing(*in, readers, count).forward();
}

extern "C" void preprocess_backward(const Input* in, const Reader* readers, Size count) {
    Preprocessing(*in, readers, count).backward();
}
