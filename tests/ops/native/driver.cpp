// Runs the kernels on numbers made here and prints all results, one a line.
//
// Compiled for another processor and run in an emulator, it must print what it prints on this one.
// Link it with fan_out.cpp, compiled with the same REAL, VECTOR and GROUP.

#include "preprocess.cpp"

#include <cstdio>

#include "call.h"

extern "C" void fan_out_forward(const FanOut*);
extern "C" void fan_out_backward(const FanOut*);

constexpr Size BATCH = 3, C = 8, EDGES = 3, PADDING = 64;
constexpr Size CHANNELS = GROUP;  // of an edge
static unsigned long long state = 88172645463325252ull;

static Real draw() {  // Marsaglia's xorshift, in (-1, 1)
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return Real(double(state >> 11) / 4503599627370496.0 - 1);
}

static Numbers drawn(Size numbers) {
    Numbers result(numbers + PADDING);
    for (Size i = 0; i < numbers; ++i) result[i] = draw();
    return result;
}

static Numbers filled(Size numbers, Real value) { return Numbers(numbers + PADDING, value); }

static void show(const char* name, const Numbers& values, Size numbers) {
    for (Size i = 0; i < numbers; ++i) std::printf("%s %.17g\n", name, double(values[i]));
}

static void fan_out(Size height, Size width, Size stride) {
    const Size block = VECTOR > GROUP ? VECTOR : GROUP;
    const Size blocks = (EDGES * GROUP + block - 1) / block, total = blocks * block;
    const Size source = height * width, pixels = source / stride / stride;
    std::vector<std::pair<Size, Size>> kinds = {{MAX_POOL, 1},  {AVG_POOL, 1}, {SEPARABLE, 3},
                                                {SEPARABLE, 5}, {DILATED, 3},  {DILATED, 5}};
    kinds.push_back({stride == 1 ? IDENTITY : REDUCE, 1});
    const Size count = kinds.size(), columns = count;
    std::vector<Branch> branches(count);
    std::vector<Numbers> kept;
    kept.reserve(100);
    const auto keep = [&](Numbers numbers) {
        kept.push_back(std::move(numbers));
        return kept.back().data();
    };
    struct Shown {
        const char* name;
        Size at, numbers;
    };
    std::vector<Shown> shown;
    for (Size i = 0; i < count; ++i) {
        Branch& b = branches[i] = {};
        b.kind = kinds[i].first, b.kernel = kinds[i].second, b.column = i;
        const bool pools = b.kind <= AVG_POOL;
        const int slots = b.kind == IDENTITY ? 0 : b.kind == SEPARABLE ? 2 : 1;
        for (int slot = 0; slot < slots; ++slot) {
            b.z[slot] = keep(filled(BATCH * pixels * (pools ? GROUP : total), 0));
            b.norm[slot] = keep(filled(2 * total, 0));
            const Size numbers = pools ? CHANNELS : EDGES * CHANNELS;
            for (int k = 0; k < 2; ++k) {
                shown.push_back({"running", Size(kept.size()), numbers});
                b.running[2 * slot + k] = keep(filled(numbers, k));
            }
        }
        const int weights = b.kind == REDUCE ? 2 : b.kind == SEPARABLE ? 4 : b.kind == DILATED ? 2 : 0;
        for (int k = 0; k < weights; ++k) {
            const Size pointwise = EDGES * CHANNELS * CHANNELS / (b.kind == REDUCE ? 2 : 1);
            const bool depthwise = b.kind != REDUCE && k % 2 == 0;
            const Size numbers = depthwise ? EDGES * CHANNELS * b.kernel * b.kernel : pointwise;
            b.weight[k] = keep(drawn(numbers));
            shown.push_back({"weight", Size(kept.size()), numbers});
            b.gradient[k] = keep(filled(numbers, 0));
        }
    }
    std::vector<Size> order(C), place(C);
    for (Size c = 0; c < C; ++c) order[c] = c, place[c] = c % CHANNELS * (C / CHANNELS) + c / CHANNELS;
    Numbers mixture = drawn(EDGES * columns), passing = drawn(EDGES);
    Numbers x = drawn(BATCH * source * C), chosen = filled(BATCH * source * GROUP, 0);
    std::vector<Numbers> targets;
    std::vector<Real*> target;
    for (Size e = 0; e < EDGES; ++e) targets.push_back(filled(BATCH * pixels * C, 0));
    for (Numbers& one : targets) target.push_back(one.data());
    Numbers d_x = filled(BATCH * source * C, 0), d_mixture = filled(EDGES * columns, 0);
    Numbers d_passing = filled(EDGES, 0);
    FanOut f{};
    f.batch = BATCH, f.height = height, f.width = width, f.channels = C, f.stride = stride;
    f.lanes = {CHANNELS, EDGES, GROUP, block, blocks};
    f.columns = columns, f.branches = count, f.training = 1, f.threads = 2;
    f.eps = 1e-5, f.momentum = 0.1;
    f.branch = branches.data(), f.order = order.data(), f.place = place.data();
    f.mixture = mixture.data(), f.passing = passing.data();
    f.state = x.data(), f.x = chosen.data(), f.target = target.data(), f.assign = 1;
    fan_out_forward(&f);
    for (const Numbers& one : targets) show("node", one, BATCH * pixels * C);
    for (Numbers& one : targets) {
        const Numbers gradient = drawn(BATCH * pixels * C);
        std::copy(gradient.begin(), gradient.end(), one.begin());
    }
    f.d_state = d_x.data(), f.d_mixture = d_mixture.data(), f.d_passing = d_passing.data();
    fan_out_backward(&f);
    show("state", d_x, BATCH * source * C);
    show("mixture", d_mixture, EDGES * columns);
    show("passing", d_passing, EDGES);
    for (const Shown& one : shown) show(one.name, kept[one.at], one.numbers);
}

static void preprocessing(Size channels, Size outputs, Size parts) {
    const Size height = 4, width = 12, source = BATCH * height * width;
    const Size numbers = source / parts / parts * outputs, share = outputs / parts * channels;
    Numbers x = drawn(source * channels), dx = filled(source * channels, 0);
    Numbers y = filled(numbers, 0), dy = drawn(numbers), inverse = filled(outputs, 0);
    Numbers running[2] = {filled(outputs, 0), filled(outputs, 1)};
    Numbers weight[2] = {drawn(share), drawn(share)};
    Numbers gradient[2] = {filled(share, 0), filled(share, 0)};
    const Real* piece[1] = {x.data()};
    Real* d_piece[1] = {dx.data()};
    const Input in{BATCH, height, width, channels, 1, 1, 2, piece, d_piece};
    Reader reader{};
    reader.outputs = outputs, reader.parts = parts, reader.eps = 1e-5, reader.momentum = 0.1;
    for (int k = 0; k < 2; ++k) {
        reader.weight[k] = weight[k].data(), reader.gradient[k] = gradient[k].data();
        reader.running[k] = running[k].data();
    }
    reader.y = y.data(), reader.inverse = inverse.data(), reader.dy = dy.data();
    preprocess_forward(&in, &reader, 1);
    preprocess_backward(&in, &reader, 1);
    show("y", y, numbers), show("dx", dx, source * channels);
    for (Size k = 0; k < parts; ++k) show("kernel", gradient[k], share);
    for (const Numbers& one : running) show("statistics", one, outputs);
}

int main() {
    fan_out(3, 13, 1);
    fan_out(4, 24, 2);
    preprocessing(12, 8, 1);
    preprocessing(16, 16, 2);
    preprocessing(6, 5, 1);
}
