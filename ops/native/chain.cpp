// Chains of stages (ReLU, convolution, batch norm) in training, forward and backward.
//
//     z_s = convolution_s(r_s),   y_s = scale_s · (z_s - mean_s) / deviation_s + shift_s
//     r_0 = x or ReLU(x),         r_s = y_{s-1} or ReLU(y_{s-1})
//     y   = mask · y_last or mask · ReLU(y_last), plus `add`; or the ReLU of this sum
//
// Only the z are kept: everything else is computed again where it is read. Sums over pixels are
// those of tiles and of fixed chunks of tiles, added in their order, so that results are the same
// bits for any number of threads.

#include "pool_call.h"
#include "stage.h"

extern "C" {
struct ChainCall {
    // relu: of the last batch norm's output; finally: of the sum.
    Size batch, height, width, stages, threads, relu, finally;
    const Real* x;     // [batch, height, width, inputs]
    const Real* mask;  // [batch]: factors of whole images, null for ones
    const Real* add;   // like y, null for zeros
    Real* y;           // [batch, output height, output width, outputs]
    const Real* dy;  // like y, but pixels lie `pitch` numbers apart
    Size pitch;
    Real* d_sum;  // the gradient of the sum, if it is not that of y
    Real* dx;  // null if not needed
    const Real* base;  // is added to the gradient of x; null for zeros; may be dx
    const StageCall* stage;
};
}

class Chain {
    const ChainCall& call;
    std::vector<Stage> stages;
    std::vector<Numbers> factor, term;

    // Call body(scratch, chunk, tile); the tiles of a chunk in their order, in one thread.
    template <class F>
    void for_tiles(const Stage& stage, bool backward, Size chunks, F body) const {
        const Size tiles = stage.tiles();
#pragma omp parallel num_threads(call.threads)
        {
            Scratch scratch;
            stage.prepare(scratch, backward);
#pragma omp for schedule(dynamic)
            for (Size chunk = 0; chunk < chunks; ++chunk)
                for (Size tile = chunk * tiles / chunks; tile < (chunk + 1) * tiles / chunks; ++tile)
                    body(scratch, chunk, tile);
        }
    }

    Reading input(Size s) const {
        const Stage& stage = stages[s];
        if (s) return stages[s - 1].normalised(factor[s - 1].data(), term[s - 1].data(), stage.call.relu);
        const Size rows = stage.batch * stage.pixels;
        return {{const_cast<Real*>(call.x), stage.call.inputs, stage.call.inputs, rows}, nullptr,
                nullptr, bool(stage.call.relu)};
    }

    Table output(const Real* at, Size pitch = 0) const {
        const Stage& stage = stages.back();
        const Size outputs = stage.call.outputs;
        return {const_cast<Real*>(at), outputs, pitch ? pitch : outputs, stage.batch * stage.out_pixels};
    }

    // y from the last z.
    void finish() const {
        const Stage& last = stages.back();
        const Table y = output(call.y), add = output(call.add), z = last.z();
        const Row floor = all(call.relu ? 0 : NO_FLOOR), lowest = all(call.finally ? 0 : NO_FLOOR);
        const auto band = [&](auto added, Size row, Size count, Size end, Row kept) {
            for_vectors(y.channels, [&](Size c, auto rest) {
                const Row slope = get(&factor.back()[c]), level = get(&term.back()[c]);
                for (Size i = row; i < row + count; ++i) {
                    Row value = above(floor, z.template load<false>(i, c) * slope + level) * kept;
                    if constexpr (added) value += add.template load<rest>(i, c);
                    y.template store<rest>(i, c, end, above(lowest, value));
                }
            });
        };
#pragma omp parallel for num_threads(call.threads) schedule(static)
        for (Size image = 0; image < call.batch; ++image) {
            const Row kept = all(call.mask ? call.mask[image] : 1);
            const Size first = image * last.out_pixels, end = first + last.out_pixels;
            for (Size row = first; row < end; row += BAND) {
                const Size count = std::min(BAND, end - row);
                if (call.add)
                    band(std::true_type{}, row, count, end, kept);
                else
                    band(std::false_type{}, row, count, end, kept);
            }
        }
    }

   public:
    explicit Chain(const ChainCall& call) : call(call), factor(call.stages), term(call.stages) {
        Size height = call.height, width = call.width;
        for (Size s = 0; s < call.stages; ++s) {
            stages.emplace_back(call.stage[s], call.batch, height, width);
            height = stages.back().out_height, width = stages.back().out_width;
        }
    }

    void forward() {
        for (Size s = 0; s < call.stages; ++s) {
            const Stage& stage = stages[s];
            const Reading x = input(s);
            Numbers moments(2 * stage.tiles() * stage.columns);
            for_tiles(stage, false, stage.tiles(), [&](Scratch& scratch, Size, Size tile) {
                stage.forward(scratch, x, tile, moments.data() + 2 * tile * stage.columns);
            });
            stage.finish_statistics(moments, factor[s], term[s]);
        }
        finish();
    }

    void backward() {
        for (Size s = 0; s < call.stages; ++s) stages[s].saved_affine(factor[s], term[s]);
        Stage& last = stages.back();
        const bool relu = call.relu;
        const Table dy = output(call.dy, call.pitch);
        Arriving arriving{call.finally ? output(call.d_sum) : dy, call.mask, relu ? factor.back().data() : nullptr,
                          relu ? term.back().data() : nullptr};
        Numbers sums(2 * last.tiles() * last.columns);
        Room gradient;
        Size tiles = last.tiles();
#pragma omp parallel for num_threads(call.threads) schedule(dynamic)
        for (Size tile = 0; tile < tiles; ++tile) {
            if (call.finally) last.rectify(dy, output(call.y), arriving.dy, tile);
            last.reduce(arriving, tile, sums.data() + 2 * tile * last.columns);
        }
        for (Size s = call.stages - 1; s >= 0; --s) {
            Stage& stage = stages[s];
            stage.finish_sums(sums, tiles);
            tiles = stage.tiles();
            const Size rows = stage.batch * stage.pixels, inputs = stage.call.inputs;
            const Table base{const_cast<Real*>(call.base), inputs, inputs, rows};
            Leaving leaving{{call.dx, inputs, inputs, rows}, base, nullptr, nullptr, 0, nullptr};
            Room next;
            Numbers next_sums;
            if (s) {
                const Stage& before = stages[s - 1];
                next = room(rows * before.columns), next_sums.resize(2 * tiles * before.columns);
                leaving = {{next.get(), whole(inputs), before.columns, rows}, {}, before.call.z,
                           before.call.norm, before.columns, next_sums.data()};
            }
            stage.begin_gradients();
            const Reading x = input(s);
            for_tiles(stage, true, stage.chunks(), [&](Scratch& scratch, Size chunk, Size tile) {
                stage.backward(scratch, x, arriving, leaving, chunk, tile);
            });
            stage.finish_gradients(call.threads);
            gradient = std::move(next), sums = std::move(next_sums);
            arriving = {leaving.dx, nullptr, nullptr, nullptr};
        }
    }
};

extern "C" void chain_forward(const ChainCall* call) { Chain(*call).forward(); }
extern "C" void chain_backward(const ChainCall* call) { Chain(*call).backward(); }
extern "C" void pool_forward(const PoolCall* call) { PooledImages(*call).forward(); }
extern "C" void pool_backward(const PoolCall* call) { PooledImages(*call).backward(); }
extern "C" Size chain_vector() { return W; }
