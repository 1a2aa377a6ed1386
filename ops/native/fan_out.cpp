// The functions that Python calls, compiled for one lane layout (see ops/native/kernels.py).

#include "fan_out_backward.h"
#include "placement.h"

extern "C" void fan_out_forward(const FanOut* f) { FanOutKernel<VECTOR, GROUP>(*f).forward(); }

extern "C" void fan_out_backward(const FanOut* f) { FanOutKernel<VECTOR, GROUP>(*f).backward(); }
