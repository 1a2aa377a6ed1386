// What the kernels need to know about the processor; ops/native/target.py names the targets.
//
//                 numbers in a vector   registers
//   AVX-512                16               32
//   AVX2                    8               16
//   NEON                    4               32
//   128 bits of x86         4               16
//
// The order of all additions is the same everywhere.

#pragma once

#if defined(__AVX512F__)
constexpr int FITTING = 16;  // numbers of 32 bits in the processor's longest vector
constexpr int STRIP = 2;     // vectors of columns that a matrix product computes at once
#elif defined(__AVX2__)
constexpr int FITTING = 8, STRIP = 1;
#elif defined(__aarch64__)
constexpr int FITTING = 4, STRIP = 2;
#else
constexpr int FITTING = 4, STRIP = 1;
#endif
