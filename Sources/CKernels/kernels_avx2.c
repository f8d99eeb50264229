#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
// Vectors of two registers are passed between functions here only, and all of those are inlined.
#pragma clang diagnostic ignored "-Wpsabi"
#define TABLE dn_avx2_kernels
#define NAME "avx2"
#define FEATURES dn_avx2_features
#define FORMATS (1 << dn_f32 | 1 << dn_bf16 | 1 << dn_integers)
#define REGISTER_LANES 8
#define MAX_VECTORS 1
#define TILE(vectors) 6
#define INTEGER_TILE(vectors) 3
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 0
#define HAS_BYTE_PAIRS 1
#include "kernels.inc"
#pragma clang attribute pop
#endif
