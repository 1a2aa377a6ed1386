// Where a stage finds its pixels and its packed kernels; see stage.h.

#pragma once

#include <algorithm>
#include <cmath>

#include "streams.h"

constexpr Size BAND = 64;  // output pixels that are processed at once

class Layout {
   public:
    const StageCall call;
    const Size batch, height, width, out_height, out_width, pixels, out_pixels, tile_images;
    const Size lanes, columns;

   protected:
    const Size border, row, plane;  // of a plane of the input with a border of zeros, in numbers
    std::vector<Size> window_at;    // taps of the depthwise window
    std::vector<Size> reversed;     // taps of its transpose
    std::vector<Size> at_window;    // per output pixel of a tile: the first tap
    std::vector<Size> at_pixel;     // per input pixel of a tile: its place in the plane
    // The same to write to: what pads a group goes to one more plane.
    std::vector<Size> to_window, to_pixel;
    std::vector<Size> at_middle, at_z;  // per pixel of a band
    std::vector<Size> source;           // per output pixel of a tile: the first input pixel
    std::vector<Size> at_dz, to_dz;     // like at_window and to_pixel, in a plane of dz
    Numbers window, flipped;            // [taps, lanes], and the taps from last to first
    std::vector<Part> parts;

    Size taps() const { return call.kernel * call.kernel; }
    Size tap(Size y, Size x) const { return y * call.dilation * row + x * call.dilation * lanes; }
    Places window_taps() const { return {window_at.data(), taps()}; }
    Window sliding() const {
        const bool side_by_side = call.stride == 1 && out_width % GROUP_OF_PIXELS == 0;
        return {window_taps(), call.kernel, call.dilation, side_by_side};
    }
    bool transposable() const { return call.window && call.stride == 1; }
    // Pixels go straight from a band of the input to one of the output: no planes.
    bool direct() const { return call.kernel == 1 && !call.halves && !call.window; }
    bool gathered() const { return !call.window && call.kernel > 1 && call.stride == 1; }
    static Size out(Size size, const StageCall& call) { return (size - 1) / call.stride + 1; }

    // Where each pixel of a tile lies; rounded up to whole groups by repeating the last one.
    std::vector<Size> positions(Size height, Size width, Size stride, Size origin) const {
        std::vector<Size> result;
        result.reserve(rounded(tile_images * height * width, GROUP_OF_PIXELS));
        for (Size image = 0; image < tile_images; ++image)
            for (Size y = 0; y < height; ++y)
                for (Size x = 0; x < width; ++x)
                    result.push_back(image * plane + y * stride * row + x * stride * lanes + origin);
        result.resize(rounded(result.size(), GROUP_OF_PIXELS), result.back());
        return result;
    }

    static Places places(const std::vector<Size>& at) { return {at.data(), Size(at.size())}; }

    static std::vector<Size> steps(Size step) {
        std::vector<Size> result(BAND);
        for (Size p = 0; p < BAND; ++p) result[p] = p * step;
        return result;
    }

    const Real* weight_of(Size part) const {
        const Part& p = parts[part];
        return call.halves ? call.weight[part]
                           : call.weight[0] + part * p.columns * p.depth * Size(p.taps.size());
    }

    void make_parts() {
        const Size count = call.halves ? 2 : call.window ? 1 : call.groups;
        const Size depth = call.halves ? call.inputs : call.inputs / count;
        const Size each = call.outputs / count;
        for (Size p = 0; p < count; ++p) {
            parts.push_back({call.halves ? 0 : p * depth, depth, p * each, each, {}, {}, {}, {}, {}});
            Part& part = parts.back();
            if (call.halves)
                part.taps = {p * (row + lanes)};
            else if (call.window)
                part.taps = {0};
            else
                for (Size y = 0; y < call.kernel; ++y)
                    for (Size x = 0; x < call.kernel; ++x) part.taps.push_back(tap(y, x));
            for (Size& place : part.taps) {
                place += part.input;
                for (Size c = 0; c < depth; ++c) part.places.push_back(place + c);
            }
            const Size taps = part.taps.size();
            const Real* from = weight_of(p);
            part.matrix.resize(taps * depth * whole(each));
            panels(each, [&](auto n, Size first) {
                Real* to = &part.matrix[taps * depth * first];
                for (Size t = 0; t < taps; ++t)
                    for (Size c = 0; c < depth; ++c, to += n * W)
                        for (Size i = 0; i < std::min<Size>(n * W, each - first); ++i)
                            to[i] = from[((first + i) * depth + c) * taps + t];
            });
        }
    }

    // The transposed matrices. If the gradient of the input is gathered, the rows of all taps stand
    // in one matrix.
    void make_transposed() {
        for (Size p = 0; p < Size(parts.size()); ++p) {
            Part& part = parts[p];
            const Size taps = part.taps.size(), depth = part.depth, rows = part.columns;
            const Real* from = weight_of(p);
            part.transposed.resize(taps * rows * whole(depth));
            part.back_places.clear();
            for (Size t = 0; t < (gathered() ? taps : 1); ++t)
                for (Size j = 0; j < rows; ++j)
                    part.back_places.push_back((gathered() ? reversed[t] / lanes * columns : 0) +
                                               part.output + j);
            panels(depth, [&](auto n, Size first) {
                for (Size t = 0; t < taps; ++t) {
                    Real* to = part.transposed.data();
                    to += gathered() ? taps * rows * first + t * rows * n * W
                                     : t * rows * whole(depth) + rows * first;
                    for (Size j = 0; j < rows; ++j, to += n * W)
                        for (Size i = 0; i < std::min<Size>(n * W, depth - first); ++i)
                            to[i] = from[(j * depth + first + i) * taps + t];
                }
            });
        }
    }

    Size gradient_size() const {
        Size result = taps() * lanes;
        for (const Part& part : parts) result += part.rows() * whole(part.columns);
        return result;
    }

    // Call f(first pixel of a band, its pixels, the same rounded up to whole groups).
    template <class F>
    void bands(Size pixels, F f) const {
        for (Size p = 0; p < pixels; p += BAND) {
            const Size count = std::min(BAND, pixels - p);
            f(p, count, rounded(count, GROUP_OF_PIXELS));
        }
    }

    // Call f(first pixel, pixels, image) for the images' parts of a band of output pixels.
    template <class F>
    void images_of(Size first, Size count, F f) const {
        for (const Size end = first + count; first < end;) {
            const Size image = first / out_pixels;
            const Size next = std::min(end, (image + 1) * out_pixels);
            f(first, next - first, image);
            first = next;
        }
    }

   public:
    Layout(const StageCall& call, Size batch, Size height, Size width)
        : call(call), batch(batch), height(height), width(width), out_height(out(height, call)),
          out_width(out(width, call)), pixels(height * width), out_pixels(out_height * out_width),
          tile_images(std::max<Size>(1, std::min((BAND + out_pixels - 1) / out_pixels, batch / 8))),
          // A group's columns are rounded up to whole vectors, also those of the last group.
          lanes(rounded(call.inputs - call.inputs / call.groups + whole(call.inputs / call.groups), W)),
          columns(call.columns), border(call.halves ? 0 : call.dilation * (call.kernel - 1) / 2),
          row((width + 2 * border) * lanes), plane((height + 2 * border) * row),
          at_window(positions(out_height, out_width, call.stride, 0)),
          at_pixel(positions(height, width, 1, border * (row + lanes))), at_middle(steps(lanes)),
          at_z(steps(columns)) {
        for (Size p = 0; p < tile_images * out_pixels; ++p) {
            const Size image = p / out_pixels, y = p % out_pixels / out_width, x = p % out_width;
            source.push_back(image * pixels + y * call.stride * width + x * call.stride);
        }
        to_window = at_window, to_pixel = at_pixel;
        std::fill(to_window.begin() + tile_images * out_pixels, to_window.end(), tile_images * plane);
        std::fill(to_pixel.begin() + tile_images * pixels, to_pixel.end(), tile_images * plane);
        make_parts();
        for (Size t = 0; t < taps(); ++t)
            window_at.push_back(tap(t / call.kernel, t % call.kernel));
        for (const Size place : window_at) reversed.push_back(window_at.back() - place);
        if (gathered())
            for (Size p = 0; p < Size(at_window.size()); ++p) {
                at_dz.push_back(at_window[p] / lanes * columns);
                to_dz.push_back(to_pixel[p] / lanes * columns);
            }
        if (!call.window) return;
        window.resize(taps() * lanes), flipped.resize(taps() * lanes);
        for (Size t = 0; t < taps(); ++t)
            for (Size c = 0; c < call.inputs; ++c)
                window[t * lanes + c] = flipped[(taps() - 1 - t) * lanes + c] =
                    call.window[c * taps() + t];
    }
};
