#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c"))), \
                             apply_to = function)
#define TABLE dn_avx512_kernels
#define NAME "avx512"
#define FEATURES dn_avx512_features
#define FORMATS (1 << dn_f32 | 1 << dn_bf16 | 1 << dn_integers)
#define REGISTER_LANES 16
#define MAX_VECTORS 4
#define TILE(vectors) ((vectors) == 4 ? 6 : (vectors) == 3 ? 8 : 12)
#define INTEGER_TILE(vectors) TILE(vectors)
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 0
#define HAS_BYTE_PAIRS 0
#include "kernels.inc"
#pragma clang attribute pop
#endif
