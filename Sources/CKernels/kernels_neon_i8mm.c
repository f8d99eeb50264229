#include "kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)
#define TABLE dn_neon_i8mm_kernels
#define NAME "neon-i8mm"
#define FEATURES (dn_asimd | dn_i8mm)
#define FORMATS (1 << dn_integers)
#define REGISTER_LANES 4
#define MAX_VECTORS 1
#define TILE(vectors) 6
#define INTEGER_TILE(vectors) TILE(vectors)
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 1
#define HAS_BYTE_PAIRS 0
#define HAS_DOT_MIXED_BYTES 1
#include "kernels.inc"
#pragma clang attribute pop
#endif
