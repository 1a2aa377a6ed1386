// The functions that Python calls, compiled for one lane layout (see ops/native/kernels.py).

#include "fan_out_backward.h"
#include "placement.h"

// A block of whole edges may be processed in shorter vectors: the layout in memory is the same.
constexpr int LENGTH = GROUP >= VECTOR && VECTOR > FITTING ? FITTING : VECTOR;
using Evaluation = FanOutKernel<LENGTH, GROUP>;

extern "C" void fan_out_forward(const FanOut* f) { Evaluation(*f).forward(); }

extern "C" void fan_out_backward(const FanOut* f) { Evaluation(*f).backward(); }
