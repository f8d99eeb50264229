#if defined(__x86_64__)
#include "CKernels.h"
#include "internal.h"
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
// Vectors of two registers are passed between functions here only, and all of those are inlined.
#pragma clang diagnostic ignored "-Wpsabi"
#define ISA(name) name##_avx2
#define MAX_VECTORS 1
#define TILE(vectors) 6
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 0
#include "kernels.inc"
#pragma clang attribute pop
#endif
