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

// Gradients of kernels are added up separately for so many chunks of tiles at most, and for no fewer
// pixels than these if there are two chunks: each chunk has its own copy, which takes time as well.
constexpr Size MOST_CHUNKS = 16, FEWEST_PIXELS = 256;

class Stage : public Layout {
    Numbers coefficient[3];          // dz = c0 · dy + c1 · z + c2
    Room gradients;                  // per chunk: the window, then the parts' matrices

   public:
    using Layout::Layout;

    Size tiles() const { return (batch + tile_images - 1) / tile_images; }
    Table z() const { return {call.z, columns, columns, batch * out_pixels}; }
    // What the next stage reads has whole(outputs) lanes: a row of z may be longer, because the last
    // of its groups is rounded up on its own, and would run into the next row there.
    Reading normalised(const Real* factor, const Real* term, bool relu) const {
        return {{call.z, whole(call.outputs), columns, batch * out_pixels}, factor, term, relu};
    }

    void prepare(Scratch& scratch, bool backward) const {
        const Size slack = 16 * W;  // products may read a few numbers beyond the last row
        scratch.plane.assign((direct() ? BAND * lanes : tile_images * plane) + slack, 0);
        scratch.dz.assign(BAND * columns + slack, 0);
        if (call.window) scratch.middle.assign(BAND * lanes + slack, 0);
        if (!backward) return;
        scratch.dx.assign(BAND * lanes + slack, 0);
        if (!direct()) scratch.d_plane.assign((tile_images + 1) * plane + slack, 0);
        if (call.window) scratch.d_middle.assign(BAND * lanes + slack, 0);
        if (gathered()) scratch.dz_plane.assign((tile_images + 1) * plane / lanes * columns + slack, 0);
    }

    // z = convolution of the images of a tile, and its mean and sum of squared distances from it.
    void forward(Scratch& scratch, const Reading& x, Size tile, Real* moments) const {
        const Size first = tile * tile_images, images = std::min(tile_images, batch - first);
        const Real* from = scratch.plane.data();
        if (!direct()) fill(scratch, x, first, images);
        bands(images * out_pixels, [&](Size p, Size count, Size all) {
            const Size row = first * out_pixels + p;
            const Size* at = pixels_of(p);
            if (direct()) x.fill(sources(first, p), count, scratch.plane.data(), at);
            if (call.window) {
                slide(scratch.plane.data(), at, all, sliding(), window.data(), lanes,
                      scratch.middle.data());
                from = scratch.middle.data(), at = at_middle.data();
            }
            Real* z = call.z + row * columns;
            Real* to = count == all ? z : scratch.dz.data();
            for (const Part& part : parts)
                multiply(from, at, all, places(part.places), part.matrix.data(), part.columns,
                         to + part.output, at_z.data(), false);
            if (to != z) std::copy_n(to, count * columns, z);
            add_moments(z, p, count, moments);
        });
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
        each_output(tile, [&](Size row, Size count, Size image) {
            const Real* z = call.z + row * columns;
            arriving.read(row, count, image, z, columns, [&](Size c, auto rows) {
                Sums of(sums, call.norm, columns, c);
                rows([&](Size, Row gradient, Row z) { of.add(gradient, z); });
                of.save();
            });
        });
    }

    // d_sum = dy where y = ReLU(sum) is not 0, over a tile.
    void rectify(const Table& dy, const Table& y, const Table& d_sum, Size tile) const {
        const Size end = std::min((tile + 1) * tile_images, batch) * out_pixels;
        each_output(tile, [&](Size row, Size count, Size) {
            for_vectors(dy.channels, [&](Size c, auto rest) {
                for (Size i = row; i < row + count; ++i) {
                    const Row gradient = dy.template load<rest>(i, c);
                    const auto dead = y.template load<rest>(i, c) <= Row{};
                    d_sum.template store<rest>(i, c, end, dead ? Row{} : gradient);
                }
            });
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
            const double mean = call.norm[j], inverse = call.norm[columns + j];
            slope *= inverse;
            call.d_affine[0][j] = slope, call.d_affine[1][j] = level;
            const double factor = call.affine[0][j] * inverse;
            coefficient[0][j] = factor;
            coefficient[1][j] = -factor * inverse * slope / count;
            coefficient[2][j] = factor * (inverse * mean * slope - level) / count;
        }
        make_transposed();
    }

    Size chunks() const {
        const Size most = std::clamp<Size>(batch * out_pixels / FEWEST_PIXELS, 2, MOST_CHUNKS);
        return std::min(tiles(), most);
    }

    void begin_gradients() { gradients = room(chunks() * gradient_size()); }

    // Gradients of the kernels and of the input, for a tile.
    void backward(Scratch& scratch, const Reading& x, const Arriving& arriving,
                  const Leaving& leaving, Size chunk, Size tile) {
        const Size first = tile * tile_images, images = std::min(tile_images, batch - first);
        const Size end = (first + images) * pixels;  // of the tile's rows
        Real* const planes = scratch.plane.data();
        Real* const gradient = gradients.get() + chunk * gradient_size();
        if (tile == chunk * tiles() / chunks()) std::fill_n(gradient, gradient_size(), Real(0));
        if (!direct()) fill(scratch, x, first, images);
        if (direct() && call.stride > 1 && leaving.dx.at && !leaving.base.at)
            std::fill(leaving.dx.at + first * pixels * leaving.dx.stride,
                      leaving.dx.at + end * leaving.dx.stride, Real(0));
        if (!direct() && !transposable() && !gathered())
            std::fill(scratch.d_plane.begin(), scratch.d_plane.end(), 0);
        bands(images * out_pixels, [&](Size p, Size count, Size all) {
            const Size row = first * out_pixels + p;
            if (direct()) x.fill(sources(first, p), count, planes, at_middle.data());
            make_dz(scratch, arriving, row, count, all);
            if (gathered() && leaving.dx.at) spread_dz(scratch, p, all);
            if (call.window)
                window_band(scratch, p, all, gradient);
            else
                parts_band(scratch, p, all, leaving.dx.at, gradient);
            if (direct() && leaving.dx.at)
                leave(planes, at_middle.data(), scratch.dx.data(), at_middle.data(), x.relu, leaving,
                      sources(first, p), count, end, tile);
        });
        if (direct() || !leaving.dx.at) return;
        bands(images * pixels, [&](Size p, Size count, Size all) {
            const Size* at = at_pixel.data() + p;
            const bool from_band = transposable() || gathered();
            if (from_band) gather_band(scratch, p, all);
            leave(planes, at, from_band ? scratch.dx.data() : scratch.d_plane.data(),
                  from_band ? at_middle.data() : at, x.relu, leaving, Following{first * pixels + p},
                  count, end, tile);
        });
    }

    // Add up the chunks' gradients, some of the numbers in each thread.
    void finish_gradients(Size threads) {
        const Size size = gradient_size(), block = 512;
        Numbers total(size);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (Size from = 0; from < size; from += block) {
            double sums[block] = {};
            const Size count = std::min(block, size - from);
            for (Size chunk = 0; chunk < chunks(); ++chunk) {
                const Real* gradient = gradients.get() + chunk * size + from;
                for (Size i = 0; i < count; ++i) sums[i] += gradient[i];
            }
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
    // The input pixels of a direct stage for the outputs of a tile from p on.
    Listed sources(Size first, Size p) const { return {first * pixels, &source[p]}; }
    // Where the pixels of a band of outputs are read.
    const Size* pixels_of(Size p) const { return direct() ? at_middle.data() : &at_window[p]; }

    double count_of(Size tile) const {
        return double(std::min(tile_images, batch - tile * tile_images)) * out_pixels;
    }

    void set_affine(Size j, Numbers& factor, Numbers& term) const {
        factor[j] = call.affine[0][j] * call.norm[columns + j];
        term[j] = call.affine[1][j] - call.norm[j] * factor[j];
    }

    void fill(Scratch& scratch, const Reading& x, Size first, Size images) const {
        bands(images * pixels, [&](Size p, Size count, Size) {
            x.fill(Following{first * pixels + p}, count, scratch.plane.data(), &at_pixel[p]);
        });
    }

    // Add the moments of `count` rows of z to those of the `before` rows of the tile before them.
    void add_moments(const Real* z, Size before, Size count, Real* moments) const {
        const Real share = Real(count) / Real(before + count);
        for (Size j = 0; j < columns; j += W) {
            const auto value = [&](Size i) { return get(z + i * columns + j); };
            const Row mean = sum<W>(count, value) / Real(count);
            const Row spread = sum<W>(count, [&](Size i) {
                const Row distance = value(i) - mean;
                return distance * distance;
            });
            Real *const means = moments + j, *const spreads = moments + columns + j;
            const Row step = mean - get(means);
            put(means, get(means) + step * share);
            put(spreads, get(spreads) + spread + step * step * (Real(before) * share));
        }
    }

    // The gradient of z for a band of pixels; zeros up to a whole group of pixels.
    void make_dz(Scratch& scratch, const Arriving& arriving, Size row, Size count, Size all) const {
        Real* const dz = scratch.dz.data();
        images_of(row, count, [&](Size first, Size some, Size image) {
            const Real* z = call.z + first * columns;
            Real* to = dz + (first - row) * columns;
            arriving.read(first, some, image, z, columns, [&](Size c, auto rows) {
                const Row of_dy = get(&coefficient[0][c]), of_z = get(&coefficient[1][c]);
                const Row level = get(&coefficient[2][c]);
                rows([&](Size i, Row dy, Row z) {
                    put(to + i * columns + c, of_dy * dy + (of_z * z + level));
                });
            });
        });
        std::fill_n(dz + count * columns, (all - count) * columns, Real(0));
    }

    // Bring dz of a band to its plane.
    void spread_dz(Scratch& scratch, Size p, Size all) const {
        const Size* to = &to_dz[p];
        for (Size j = 0; j < columns; j += W)
            for (Size i = 0; i < all; ++i)
                put(&scratch.dz_plane[to[i] + j], get(&scratch.dz[i * columns + j]));
    }

    // dz of a band -> gradients of the parts' matrices and of their input.
    void parts_band(Scratch& scratch, Size p, Size all, bool d_input, Real* gradient) const {
        const Real* dz = scratch.dz.data();
        Real* const d_input_at = direct() ? scratch.dx.data() : scratch.d_plane.data();
        const Size* to = direct() ? at_middle.data() : &to_window[p];
        gradient += taps() * lanes;
        for (const Part& part : parts) {
            for (Size t = 0; t < Size(part.taps.size()); ++t) {
                multiply_gradient(scratch.plane.data() + part.taps[t], pixels_of(p), all,
                                  part.depth, dz + part.output, columns, part.columns, gradient,
                                  part.rows(), t * rounded(part.depth, 8));
                if (d_input && !gathered())
                    multiply(dz, at_z.data(), all, places(part.back_places),
                             part.transposed.data() + t * part.columns * whole(part.depth),
                             part.depth, d_input_at + part.taps[t], to, !direct());
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

    // The gradient of a band of the input's pixels, from the planes of all outputs.
    void gather_band(Scratch& scratch, Size p, Size all) const {
        if (transposable())
            slide(scratch.d_plane.data(), &at_window[p], all, sliding(), flipped.data(), lanes,
                  scratch.dx.data());
        else
            for (const Part& part : parts)
                multiply(scratch.dz_plane.data(), &at_dz[p], all, places(part.back_places),
                         part.transposed.data(), part.depth, scratch.dx.data() + part.input,
                         at_middle.data(), false);
    }

    // The gradient of `count` pixels row_of(i) of the input: behind the ReLU, to where it goes.
    template <class F>
    void leave(const Real* x, const Size* x_at, const Real* dx, const Size* dx_at, bool relu,
               const Leaving& leaving, F row_of, Size count, Size end, Size tile) const {
        for_vectors(leaving.dx.channels, [&](Size c, auto rest) {
            const auto rows = [&](auto rectified, auto body) {
                for (Size i = 0; i < count; ++i) {
                    Row gradient = get(dx + dx_at[i] + c);
                    if (rectified) gradient = get(x + x_at[i] + c) <= Row{} ? Row{} : gradient;
                    body(row_of(i), gradient);
                }
            };
            const auto all = [&](auto body) {
                relu ? rows(std::true_type{}, body) : rows(std::false_type{}, body);
            };
            const Table &to = leaving.dx, &base = leaving.base;
            // What is added may stand where the sum goes: beyond the channels nothing is written.
            if (base.at)
                return all([&](Size row, Row gradient) {
                    to.template store<rest>(row, c, row + 1,
                                            gradient + base.template load<rest>(row, c));
                });
            if (!leaving.z)
                return all([&](Size row, Row gradient) {
                    to.template store<rest>(row, c, end, gradient);
                });
            Sums sums(leaving.sums + 2 * tile * leaving.columns, leaving.norm, leaving.columns, c);
            all([&](Size row, Row gradient) {
                sums.add(gradient, get(leaving.z + row * leaving.columns + c));
                to.template store<rest>(row, c, end, gradient);
            });
            sums.save();
        });
    }

    // Call f(row, count, image) for the output pixels of each image of a tile.
    template <class F>
    void each_output(Size tile, F f) const {
        const Size first = tile * tile_images, end = std::min(first + tile_images, batch);
        images_of(first * out_pixels, (end - first) * out_pixels, [&](Size row, Size count, Size image) {
            bands(count, [&](Size p, Size some, Size) { f(row + p, some, image); });
        });
    }
};
