// What the files of this module share: the tables, one for each instruction set. kernels.c lists them.
#ifndef DENOISED_KERNELS_H
#define DENOISED_KERNELS_H

#include <stddef.h>

#include "CKernels.h"

#if defined(__x86_64__)
// The features that all tables of one register width need. Code that is compiled for AVX-512 may use those of AVX2 as well.
enum {
    dn_avx2_features = dn_avx | dn_avx2 | dn_fma | dn_f16c,
    dn_avx512_features = dn_avx2_features | dn_avx512f | dn_avx512bw | dn_avx512vl | dn_avx512dq,
};

extern const dn_kernels dn_avx2_kernels;
extern const dn_kernels dn_avx2_vnni_kernels;
extern const dn_kernels dn_avx512_kernels;
extern const dn_kernels dn_avx512_vnni_kernels;
extern const dn_kernels dn_avx512_bf16_kernels;
#elif defined(__aarch64__)
extern const dn_kernels dn_neon_kernels;
extern const dn_kernels dn_neon_dotprod_kernels;
extern const dn_kernels dn_neon_i8mm_kernels;
extern const dn_kernels dn_neon_bf16_kernels;
#endif

#endif
