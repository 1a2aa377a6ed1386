// ReLU, 1x1 convolution, norm without affine parameters: brings a cell's input to its width.
//
// With two kernels it is the factorised reduction: stride 2, and the second kernel, which gives
// the second half of the channels, reads the pixel one further down and right.

#include <algorithm>
#include <cmath>

#include "lanes.h"

extern "C" struct Preprocess {
    Size batch, height, width, inputs, outputs, parts, training, threads;
    double eps, momentum;
    const Real* x;          // [batch, height, width, inputs]
    const Real* weight[2];  // [outputs / parts, inputs]
    Real* gradient[2];      // null if not needed
    Real* running[2];       // mean, variance
    Real* y;                // [batch, height / parts, width / parts, outputs]
    Real* inverse;          // [outputs]: inverse deviation, kept for the backward pass
    const Real* dy;
    Real* dx;               // written where a kernel reads; null if not needed
};

template <int V>
class PreprocessKernel {
    const Preprocess& p;
    const Size part, height, width, pixels, chunks;
    std::vector<Numbers> weight, transposed;  // [inputs, part], [part, inputs]

    template <class F>
    void for_images(F body) const {
#pragma omp parallel num_threads(p.threads)
        {
            Numbers scratch(8 * (p.inputs + 2 * p.outputs));
#pragma omp for schedule(dynamic)
            for (Size chunk = 0; chunk < chunks; ++chunk)
                for (Size image = chunk * p.batch / chunks;
                     image < (chunk + 1) * p.batch / chunks; ++image)
                    body(scratch.data(), chunk, image);
        }
    }

    // Where kernel k reads for output pixel (y, x).
    Size source(Size image, Size k, Size y, Size x) const {
        return ((image * p.height + y * p.parts + k) * p.width + x * p.parts + k) * p.inputs;
    }

    // What kernel k reads for output pixels (y, x) to (y, x + N - 1), rectified: [N, inputs].
    template <int N>
    void read(Real* span, Size image, Size k, Size y, Size x) const {
        for (int n = 0; n < N; ++n) {
            const Real* from = p.x + source(image, k, y, x + n);
            for (Size c = 0; c < p.inputs; c += V)
                store<V>(span + n * p.inputs + c, rectified<V>(load<V>(from + c)));
        }
    }

    // [batch, outputs] -> double [outputs]
    std::vector<double> total(const Numbers& of_images) const {
        std::vector<double> result(p.outputs);
        for (Size i = 0; i < p.batch; ++i)
            for (Size o = 0; o < p.outputs; ++o) result[o] += of_images[i * p.outputs + o];
        return result;
    }

    // to [N, columns] = from [N, rows; step] · matrix [rows, columns]
    template <int N>
    static void multiply(const Real* from, Size step, const Real* matrix, Size rows, Size columns,
                         Real* to, Size to_step) {
        const auto strip = [&](auto w, Size j) {  // w vectors of columns
            Vector<V> sums[N][w];
            for (int n = 0; n < N; ++n)
                for (int i = 0; i < w; ++i) sums[n][i] = Vector<V>{};
            for (Size c = 0; c < rows; ++c) {
                Vector<V> row[w];
                for (int i = 0; i < w; ++i) row[i] = load<V>(matrix + c * columns + j + i * V);
                for (int n = 0; n < N; ++n)
                    for (int i = 0; i < w; ++i) sums[n][i] += from[n * step + c] * row[i];
            }
            for (int n = 0; n < N; ++n)
                for (int i = 0; i < w; ++i) store<V>(to + n * to_step + j + i * V, sums[n][i]);
        };
        Size j = 0;
        for (; j + 2 * V <= columns; j += 2 * V) strip(std::integral_constant<int, 2>{}, j);
        for (; j < columns; j += V) strip(std::integral_constant<int, 1>{}, j);
    }

   public:
    explicit PreprocessKernel(const Preprocess& p)
        : p(p), part(p.outputs / p.parts), height(p.height / p.parts), width(p.width / p.parts),
          pixels(height * width), chunks(std::min(p.batch, MAX_CHUNKS)) {
        for (Size k = 0; k < p.parts; ++k) {
            transposed.emplace_back(p.weight[k], p.weight[k] + part * p.inputs);
            weight.emplace_back(p.inputs * part);
            for (Size o = 0; o < part; ++o)
                for (Size c = 0; c < p.inputs; ++c)
                    weight[k][c * part + o] = p.weight[k][o * p.inputs + c];
        }
    }

    void forward() const {
        Numbers means(p.batch * p.outputs), squares(means.size());
        for_images([&](Real* span, Size, Size image) {
            Real* out = p.y + image * pixels * p.outputs;
            for (Size y = 0; y < height; ++y)
                runs(width, [&](auto n, Size x) {
                    for (Size k = 0; k < p.parts; ++k) {
                        read<n>(span, image, k, y, x);
                        multiply<n>(span, p.inputs, weight[k].data(), p.inputs, part,
                                    out + (y * width + x) * p.outputs + k * part, p.outputs);
                    }
                });
            for (Size j = 0; p.training && j < p.outputs; j += V) {
                const auto value = [&](Size i) { return load<V>(out + i * p.outputs + j); };
                const auto mean = sum<V>(pixels, value) / Real(pixels);
                store<V>(means.data() + image * p.outputs + j, mean);
                store<V>(squares.data() + image * p.outputs + j, sum<V>(pixels, [&](Size i) {
                             const auto distance = value(i) - mean;
                             return distance * distance;
                         }));
            }
        });
        Numbers centres(p.outputs);
        const double count = double(p.batch) * pixels;
        for (Size o = 0; o < p.outputs; ++o) {
            double mean = p.running[0][o], variance = p.running[1][o];
            if (p.training) {
                mean = variance = 0;
                for (Size i = 0; i < p.batch; ++i) mean += means[i * p.outputs + o] / p.batch;
                for (Size i = 0; i < p.batch; ++i)
                    variance += squares[i * p.outputs + o] +
                                pixels * std::pow(means[i * p.outputs + o] - mean, 2);
                variance /= count;
                p.running[0][o] += p.momentum * (mean - p.running[0][o]);
                p.running[1][o] += p.momentum * (variance * count / (count - 1) - p.running[1][o]);
            }
            centres[o] = mean;
            p.inverse[o] = 1 / std::sqrt(variance + p.eps);
        }
        for_images([&](Real*, Size, Size image) {
            Real* out = p.y + image * pixels * p.outputs;
            for (Size j = 0; j < p.outputs; j += V) {
                const auto centre = load<V>(centres.data() + j), scale = load<V>(p.inverse + j);
                for (Size i = j; i < pixels * p.outputs; i += p.outputs)
                    store<V>(out + i, (load<V>(out + i) - centre) * scale);
            }
        });
    }

    void backward() const {
        Numbers image_g(p.batch * p.outputs), image_gy(image_g.size());
        for_images([&](Real*, Size, Size image) {
            const Size at = image * pixels * p.outputs;
            for (Size j = 0; p.training && j < p.outputs; j += V) {
                const auto g = [&](Size i) { return load<V>(p.dy + at + i * p.outputs + j); };
                const auto y = [&](Size i) { return load<V>(p.y + at + i * p.outputs + j); };
                store<V>(image_g.data() + image * p.outputs + j, sum<V>(pixels, g));
                store<V>(image_gy.data() + image * p.outputs + j,
                         sum<V>(pixels, [&](Size i) { return g(i) * y(i); }));
            }
        });
        const auto sum_g = total(image_g), sum_gy = total(image_gy);
        const double count = double(p.batch) * pixels;
        Numbers slope(p.outputs), constant(p.outputs);  // dz = inverse g + slope y + constant
        for (Size o = 0; o < p.outputs; ++o) {
            slope[o] = -p.inverse[o] * sum_gy[o] / count;
            constant[o] = -p.inverse[o] * sum_g[o] / count;
        }
        const bool learns = p.gradient[0];
        std::vector<Numbers> partial(learns ? chunks : 0, Numbers(p.inputs * p.outputs));
        for_images([&](Real* span, Size chunk, Size image) {
            Real* x_span = span + 8 * p.outputs;
            for (Size y = 0; y < height; ++y)
                runs(width, [&](auto n, Size x) {
                    const Size at = ((image * height + y) * width + x) * p.outputs;
                    for (int i = 0; i < n; ++i)
                        for (Size j = 0; j < p.outputs; j += V) {
                            const Size here = at + i * p.outputs + j;
                            store<V>(span + i * p.outputs + j,
                                     load<V>(p.inverse + j) * load<V>(p.dy + here) +
                                         load<V>(slope.data() + j) * load<V>(p.y + here) +
                                         load<V>(constant.data() + j));
                        }
                    for (Size k = 0; k < p.parts; ++k) {
                        Real* gradient =
                            learns ? partial[chunk].data() + k * part * p.inputs : nullptr;
                        backward_run<n>(span + k * part, x_span, image, k, y, x, gradient);
                    }
                });
        });
        for (Size k = 0; learns && k < p.parts; ++k)
            for (Size o = 0; o < part; ++o)
                for (Size c = 0; c < p.inputs; ++c) {
                    double sum = 0;
                    for (const Numbers& of_chunk : partial)
                        sum += of_chunk[(k * p.inputs + c) * part + o];
                    p.gradient[k][o * p.inputs + c] = sum;
                }
    }

   private:
    // dz [N; outputs] -> gradients of kernel k, [inputs, part], and of what it reads.
    template <int N>
    void backward_run(const Real* dz, Real* span, Size image, Size k, Size y, Size x,
                      Real* gradient) const {
        if (gradient) {
            read<N>(span, image, k, y, x);
            for (Size j = 0; j < part; j += V) {
                Vector<V> out[N];
                for (int n = 0; n < N; ++n) out[n] = load<V>(dz + n * p.outputs + j);
                for (Size c = 0; c < p.inputs; ++c) {
                    auto row = load<V>(gradient + c * part + j);
                    for (int n = 0; n < N; ++n) row += span[n * p.inputs + c] * out[n];
                    store<V>(gradient + c * part + j, row);
                }
            }
        }
        if (!p.dx) return;
        multiply<N>(dz, p.outputs, transposed[k].data(), part, p.inputs, span, p.inputs);
        for (int n = 0; n < N; ++n) {
            const Size at = source(image, k, y, x + n);
            for (Size c = 0; c < p.inputs; c += V)
                store<V>(p.dx + at + c, load<V>(p.x + at + c) > Vector<V>{}
                                            ? load<V>(span + n * p.inputs + c)
                                            : Vector<V>{});
        }
    }
};

template <class F>
void with_preprocess(const Preprocess& p, F call) {
    const auto divides = [&](Size v) { return p.inputs % v == 0 && p.outputs / p.parts % v == 0; };
    if (divides(16))
        call(PreprocessKernel<16>(p));
    else if (divides(8))
        call(PreprocessKernel<8>(p));
    else if (divides(4))
        call(PreprocessKernel<4>(p));
    else
        call(PreprocessKernel<1>(p));
}

extern "C" void preprocess_forward(const Preprocess* p) {
    with_preprocess(*p, [](const auto& kernel) { kernel.forward(); });
}

extern "C" void preprocess_backward(const Preprocess* p) {
    with_preprocess(*p, [](const auto& kernel) { kernel.backward(); });
}
