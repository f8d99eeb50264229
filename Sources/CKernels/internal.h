// What each instruction set's file defines and dispatch.c chooses from.
#ifndef DENOISED_CKERNELS_INTERNAL_H
#define DENOISED_CKERNELS_INTERNAL_H

#include "CKernels.h"

#define DN_DECLARE(isa)                                                            \
    void dn_convolve_##isa(dn_format format, const dn_convolution *convolution);   \
    void dn_normalize_##isa(const dn_normalization *normalization);                \
    void dn_pack_##isa(dn_format format, const dn_packing *packing);                 \
    void dn_quantize_##isa(const dn_quantization *quantization);                     \
    float dn_read_##isa(const void *memory, int64_t bytes);                          \
    int64_t dn_multiply_##isa(dn_format format, int64_t rounds, float *sink);

DN_DECLARE(avx2)
DN_DECLARE(avx2_vnni)
DN_DECLARE(avx512)
DN_DECLARE(avx512_vnni)
DN_DECLARE(avx512_bf16)

#endif
