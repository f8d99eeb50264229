#if defined(__x86_64__)
#include "CKernels.h"
#include "internal.h"
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma"))), apply_to = function)
#define ISA(name) name##_avx512_vnni
#define MAX_VECTORS 4
#define TILE(vectors) ((vectors) == 4 ? 6 : (vectors) == 3 ? 8 : 12)
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 1
#include "kernels.inc"
#pragma clang attribute pop
#endif
