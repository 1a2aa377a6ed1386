// One stage of a chain: ReLU, convolution, batch norm; see chain.cpp.
//
// The convolution is one of
//   window   a depthwise window, then a pointwise kernel
//   groups   a convolution in `groups` groups with a square kernel (1x1 and dense are special cases)
//   halves   a factorised reduction: the second half of the output channels reads the pixel one row
//            further down and one column further right
// Images are processed in tiles of a few images, tiles in bands of up to BAND output pixels.

#pragma once

#include "layout.h"

constexpr Size MOST_CHUNKS = 16;  // of tiles, whose gradients are added up separately

class Stage : public Layout {
    Numbers coefficient[3];          // dz = c0 · dy + c1 · z + c2
    std::vector<Numbers> gradients;  // per chunk: the window, then the parts' matrices

   public:
    using Layout::Layout;

    Size tiles() const { return (batch + tile_images - 1) / tile_images; }
    Table z() const { return {call.z, columns, columns, batch * out_pixels}; }
    Reading normalised(const Real* factor, const Real* term, bool relu) const {
        return {z(), factor, term, relu};
    }

    void prepare(Scratch& scratch, bool backward) const {
        const Size slack = 16 * W;  // products may read a few numbers beyond the last row
        scratch.plane.assign(tile_images * plane + slack, 0);
        scratch.middle.assign(BAND * std::max(lanes, columns) + slack, 0);
        scratch.dz.assign(BAND * columns + slack, 0);
        if (!backward) return;
        scratch.d_plane.assign((tile_images + 1) * plane + slack, 0);
        scratch.dx.assign(BAND * lanes + slack, 0);
        scratch.d_middle.assign(BAND * lanes + slack, 0);
        if (gathered()) scratch.dz_plane.assign((tile_images + 1) * plane / lanes * columns + slack, 0);
    }

    // z = convolution of the images of a tile, and its mean and sum of squared distances from it.
    void forward(Scratch& scratch, const Reading& x, Size tile, Real* moments) const {
        const Size first = tile * tile_images, images = std::min(tile_images, batch - first);
        Real* const planes = scratch.plane.data();
        fill(x, first, images, planes);
        bands(images * out_pixels, [&](Size p, Size count, Size all) {
            const Real* from = planes;
            const Size* at = at_window.data() + p;
            if (call.window) {
                slide(planes, at, all, sliding(), window.data(), lanes, scratch.middle.data());
                from = scratch.middle.data(), at = at_middle.data();
            }
            Real* z = call.z + (first * out_pixels + p) * columns;
            Real* to = count == all ? z : scratch.dz.data();
            for (const Part& part : parts)
                multiply(from, at, all, places(part.places), part.matrix.data(), part.columns,
                         to + part.output, at_z.data(), false);
            if (to != z) std::copy_n(to, count * columns, z);
        });
        const Size count = images * out_pixels;
        const Real* z = call.z + first * out_pixels * columns;
        for (Size j = 0; j < columns; j += W) {
            const auto value = [&](Size i) { return get(z + i * columns + j); };
            const Row mean = sum<W>(count, value) / Real(count);
            put(moments + j, mean);
            put(moments + columns + j, sum<W>(count, [&](Size i) {
                         const Row distance = value(i) - mean;
                         return distance * distance;
                     }));
        }
    }

    // The statistics of all tiles [tiles, 2, columns]: norm, running statistics, and y = factor · z
    // + term.
    void finish_statistics(const Numbers& moments, Numbers& factor, Numbers& term) const {
        const double count = double(batch) * out_pixels;
        factor.assign(columns, 0), term.assign(columns, 0);
        for (Size j = 0; j < call.outputs; ++j) {
            double mean = 0, spread = 0;
            for (Size t = 0; t < tiles(); ++t) mean += count_of(t) * moments[2 * t * columns + j];
            mean /= count;
            for (Size t = 0; t < tiles(); ++t) {
                const double distance = moments[2 * t * columns + j] - mean;
                spread += moments[(2 * t + 1) * columns + j] + count_of(t) * distance * distance;
            }
            const double variance = spread / count, inverse = 1 / std::sqrt(variance + call.eps);
            call.norm[j] = mean, call.norm[columns + j] = inverse;
            set_affine(j, factor, term);
            const double unbiased = spread / (count - 1);
            call.running[0][j] += call.momentum * (mean - call.running[0][j]);
            call.running[1][j] += call.momentum * (unbiased - call.running[1][j]);
        }
        for (Size j = call.outputs; j < columns; ++j) call.norm[j] = call.norm[columns + j] = 0;
    }

    void saved_affine(Numbers& factor, Numbers& term) const {
        factor.assign(columns, 0), term.assign(columns, 0);
        for (Size j = 0; j < call.outputs; ++j) set_affine(j, factor, term);
    }

    // The sums of the arriving gradient over a tile.
    void reduce(const Arriving& arriving, Size tile, Real* sums) const {
        const Sums of{sums, call.norm, columns};
        std::fill_n(sums, 2 * columns, Real(0));
        each_output(tile, [&](Size row, Size image) {
            arriving.read(row, image, call.z + row * columns,
                          [&](Size c, Row gradient, Row z) { of.add(c, gradient, z); });
        });
    }

    // d_sum = dy where y = ReLU(sum) is not 0, over a tile.
    void rectify(const Table& dy, const Table& y, const Table& d_sum, Size tile) const {
        const Size end = std::min((tile + 1) * tile_images, batch) * out_pixels;
        Numbers numbers(columns);
        each_output(tile, [&](Size row, Size) {
            dy.read(row, [&](Size c, Row gradient) { put(&numbers[c], gradient); });
            y.read(row, [&](Size c, Row value) {
                put(&numbers[c], value <= Row{} ? Row{} : get(&numbers[c]));
            });
            d_sum.write(row, end, [&](Size c) { return get(&numbers[c]); });
        });
    }

    // From the sums of all tiles [tiles, 2, columns]: gradients of scale and shift, coefficients.
    void finish_sums(const Numbers& sums, Size tiles) {
        const double count = double(batch) * out_pixels;
        for (Numbers& numbers : coefficient) numbers.assign(columns, 0);
        for (Size j = 0; j < call.outputs; ++j) {
            double level = 0, slope = 0;
            for (Size t = 0; t < tiles; ++t) {
                level += sums[2 * t * columns + j];
                slope += sums[(2 * t + 1) * columns + j];
            }
            call.d_affine[0][j] = slope, call.d_affine[1][j] = level;
            const double mean = call.norm[j], inverse = call.norm[columns + j];
            const double factor = call.affine[0][j] * inverse;
            coefficient[0][j] = factor;
            coefficient[1][j] = -factor * inverse * slope / count;
            coefficient[2][j] = factor * (inverse * mean * slope - level) / count;
        }
        make_transposed();
    }

    Size chunks() const { return std::min(tiles(), MOST_CHUNKS); }

    void begin_gradients() { gradients.resize(chunks()); }
    // Gradients of the kernels and of the input, for a tile.
    void backward(Scratch& scratch, const Reading& x, const Arriving& arriving,
                  const Leaving& leaving, Size chunk, Size tile) {
        const Size first = tile * tile_images, images = std::min(tile_images, batch - first);
        Numbers& gradient = gradients[chunk];
        if (gradient.empty()) gradient.resize(gradient_size());
        fill(x, first, images, scratch.plane.data());
        if (!direct() && !transposable() && !gathered()) std::fill(scratch.d_plane.begin(), scratch.d_plane.end(), 0);
        bands(images * out_pixels, [&](Size p, Size count, Size all) {
            Real* dz = scratch.dz.data();
            for (Size i = 0; i < count; ++i) {
                const Size row = first * out_pixels + p + i;
                arriving.read(row, row / out_pixels, call.z + row * columns,
                              [&](Size c, Row dy, Row z) {
                                  put(dz + i * columns + c,
                                           get(coefficient[0].data() + c) * dy +
                                               get(coefficient[1].data() + c) * z +
                                               get(coefficient[2].data() + c));
                              });
            }
            std::fill_n(dz + count * columns, (all - count) * columns, Real(0));
            if (call.window)
                window_band(scratch, p, all, gradient.data());
            else
                parts_band(scratch, p, all, leaving.dx.at, gradient.data());
        });
        if (leaving.dx.at) leave(scratch, x.relu, leaving, first, images, tile);
    }

    // Add up the chunks' gradients, some of the numbers in each thread.
    void finish_gradients(Size threads) {
        const Size size = gradient_size(), block = 512;
        Numbers total(size);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (Size from = 0; from < size; from += block) {
            double sums[block] = {};
            const Size count = std::min(block, size - from);
            for (const Numbers& gradient : gradients)
                for (Size i = 0; i < count; ++i) sums[i] += gradient[from + i];
            for (Size i = 0; i < count; ++i) total[from + i] = sums[i];
        }
        const Real* from = total.data();
        for (Size t = 0; call.window && t < taps(); ++t)
            for (Size c = 0; c < call.inputs; ++c)
                call.d_window[c * taps() + t] = from[t * lanes + c];
        from += taps() * lanes;
        for (Size p = 0; p < Size(parts.size()); ++p) {
            const Part& part = parts[p];
            const Size count = part.taps.size(), depth = part.depth, step = rounded(depth, 8);
            Real* to = call.halves ? call.d_weight[p]
                                   : call.d_weight[0] + p * part.columns * depth * count;
            panels(part.columns, [&](auto n, Size first) {
                for (Size t = 0; t < count; ++t)
                    for (Size c = 0; c < depth; ++c) {
                        const Real* at = from + part.rows() * first + (t * step + c) * n * W;
                        for (Size i = 0; i < std::min<Size>(n * W, part.columns - first); ++i)
                            to[((first + i) * depth + c) * count + t] = at[i];
                    }
            });
            from += part.rows() * whole(part.columns);
        }
    }

   private:
    bool direct() const {
        return call.kernel == 1 && call.stride == 1 && !call.halves && !call.window;
    }

    double count_of(Size tile) const {
        return double(std::min(tile_images, batch - tile * tile_images)) * out_pixels;
    }

    void set_affine(Size j, Numbers& factor, Numbers& term) const {
        factor[j] = call.affine[0][j] * call.norm[columns + j];
        term[j] = call.affine[1][j] - call.norm[j] * factor[j];
    }

    // dz of a band -> gradients of the parts' matrices and of their input.
    void parts_band(Scratch& scratch, Size p, Size all, bool d_input, Real* gradient) const {
        const Real* dz = scratch.dz.data();
        if (d_input && gathered())
            for (Size i = 0; i < all; ++i)
                std::copy_n(dz + i * columns, columns, &scratch.dz_plane[to_dz[p + i]]);
        gradient += taps() * lanes;
        for (const Part& part : parts) {
            for (Size t = 0; t < Size(part.taps.size()); ++t) {
                multiply_gradient(scratch.plane.data() + part.taps[t], at_window.data() + p, all,
                                  part.depth, dz + part.output, columns, part.columns, gradient,
                                  part.rows(), t * rounded(part.depth, 8));
                if (d_input && !gathered())
                    multiply(dz, at_z.data(), all, places(part.back_places),
                             part.transposed.data() + t * part.columns * whole(part.depth),
                             part.depth, scratch.d_plane.data() + part.taps[t],
                             to_window.data() + p, !direct());
            }
            gradient += part.rows() * whole(part.columns);
        }
    }

    // dz of a band -> gradients of the pointwise kernel, of the window and of its input.
    void window_band(Scratch& scratch, Size p, Size all, Real* gradient) const {
        const Size* at = at_window.data() + p;
        const Real* planes = scratch.plane.data();
        const Part& part = parts.front();
        slide(planes, at, all, sliding(), window.data(), lanes, scratch.middle.data());
        multiply_gradient(scratch.middle.data(), at_middle.data(), all, part.depth,
                          scratch.dz.data(), columns, part.columns, gradient + taps() * lanes,
                          part.rows(), 0);
        Real* to = transposable() ? scratch.d_plane.data() : scratch.d_middle.data();
        const Size* to_at = transposable() ? to_pixel.data() + p : at_middle.data();
        multiply(scratch.dz.data(), at_z.data(), all, places(part.back_places),
                 part.transposed.data(), part.depth, to, to_at, false);
        slide_gradient(planes, at, all, sliding(), lanes, to, to_at, gradient);
        if (!transposable())
            slide_back(scratch.d_plane.data(), at, all, window_taps(), window.data(), lanes, to);
    }

    // The gradient of the input's pixels: behind the ReLU, to where it goes.
    void leave(Scratch& scratch, bool relu, const Leaving& leaving, Size first, Size images,
               Size tile) const {
        const Sums sums{leaving.sums + 2 * tile * leaving.columns, leaving.norm, leaving.columns};
        if (leaving.z) std::fill_n(sums.to, 2 * leaving.columns, Real(0));
        const Size end = (first + images) * pixels;
        bands(images * pixels, [&](Size p, Size count, Size all) {
            if (transposable())
                slide(scratch.d_plane.data(), at_window.data() + p, all,
                      sliding(), flipped.data(), lanes, scratch.dx.data());
            for (Size q = 0; gathered() && q < Size(parts.size()); ++q) {
                const Part& part = parts[q];
                multiply(scratch.dz_plane.data(), at_dz.data() + p, all, places(part.back_places),
                         part.transposed.data(), part.depth, scratch.dx.data() + part.input,
                         at_middle.data(), false);
            }
            for (Size i = 0; i < count; ++i) {
                const Real* x = scratch.plane.data() + at_pixel[p + i];
                const Real* dx = transposable() || gathered() ? scratch.dx.data() + i * lanes
                                                : scratch.d_plane.data() + at_pixel[p + i];
                const Size row = first * pixels + p + i;
                leaving.dx.write(row, end, [&](Size c) {
                    Row gradient = get(dx + c);
                    if (relu) gradient = get(x + c) <= Row{} ? Row{} : gradient;
                    if (leaving.z)
                        sums.add(c, gradient, get(leaving.z + row * leaving.columns + c));
                    return gradient;
                });
            }
        });
    }

    // Call f(row, image) for the output pixels of a tile.
    template <class F>
    void each_output(Size tile, F f) const {
        const Size first = tile * tile_images, end = std::min(first + tile_images, batch);
        for (Size image = first; image < end; ++image)
            for (Size p = 0; p < out_pixels; ++p) f(image * out_pixels + p, image);
    }
};
