// Pooling in a network that is trained from scratch: y = mask · pool(x) + add; see pooling.h.

#pragma once

#include "pooling.h"
#include "table.h"

extern "C" {
struct PoolCall {
    Size batch, height, width, channels, stride, max, threads;
    const Real* x;     // [batch, height, width, channels]
    const Real* mask;  // [batch]: factors of whole images, null for ones
    const Real* add;   // like y, null for zeros
    Real* y;           // [batch, output height, output width, channels]
    const Real* dy;    // like y, but pixels lie `pitch` numbers apart
    Size pitch;
    Real* dx;
};
}

class PooledImages {
    const PoolCall& call;
    const Pooling pooling;
    const Size in, out;  // numbers in an image

    Real kept(Size image) const { return call.mask ? call.mask[image] : 1; }

   public:
    explicit PooledImages(const PoolCall& call)
        : call(call), pooling{call.height, call.width, call.channels, call.stride},
          in(call.height * call.width * call.channels),
          out(pooling.out_height() * pooling.out_width() * call.channels) {}

    void forward() const {
#pragma omp parallel for num_threads(call.threads) schedule(static)
        for (Size image = 0; image < call.batch; ++image) {
            Real* __restrict y = call.y + image * out;
            pooling.forward(call.max, call.x + image * in, y);
            const Real factor = kept(image);
            for (Size i = 0; call.mask && i < out; ++i) y[i] *= factor;
            const Real* __restrict add = call.add + image * out;
            for (Size i = 0; call.add && i < out; ++i) y[i] += add[i];
        }
    }

    void backward() const {
        const Size pixels = out / call.channels;
        const Table dy{const_cast<Real*>(call.dy), call.channels, call.pitch, call.batch * pixels};
#pragma omp parallel num_threads(call.threads)
        {
            Numbers z(out), dz(out);
#pragma omp for schedule(static)
            for (Size image = 0; image < call.batch; ++image) {
                const Real* x = call.x + image * in;
                const Table to{dz.data(), call.channels, call.channels, pixels};
                const Row factor = all(kept(image));
                for_vectors(call.channels, [&](Size c, auto rest) {
                    for (Size p = 0; p < pixels; ++p)
                        to.template store<rest>(
                            p, c, pixels, dy.template load<rest>(image * pixels + p, c) * factor);
                });
                if (call.max) pooling.forward(true, x, z.data());
                Real* dx = call.dx + image * in;
                std::fill_n(dx, in, Real(0));
                pooling.backward(call.max, x, z.data(), dz.data(), dx);
            }
        }
    }
};
