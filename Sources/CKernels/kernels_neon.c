#include "kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TABLE dn_neon_kernels
#define NAME "neon"
#define FEATURES dn_asimd
#define FORMATS (1 << dn_f32 | 1 << dn_bf16 | 1 << dn_integers)
#define REGISTER_LANES 4
#define MAX_VECTORS 1
#define TILE(vectors) 6
#define INTEGER_TILE(vectors) TILE(vectors)
#define HAS_DOT_BF16 0
#define HAS_DOT_BYTES 0
#define HAS_BYTE_PAIRS 0
#define HAS_DOT_MIXED_BYTES 0
#include "kernels.inc"
#endif
