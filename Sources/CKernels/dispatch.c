#include "internal.h"

#if defined(__x86_64__)

dn_isa dn_best_isa(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return dn_isa_none;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return dn_isa_avx2;
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") ? dn_isa_avx512_bf16
                                                                                        : dn_isa_avx512;
}

#define DN_DISPATCH(call_avx2, call_avx512, call_bf16) \
    switch (isa) {                                     \
        case dn_isa_avx512_bf16: call_bf16; break;     \
        case dn_isa_avx512: call_avx512; break;        \
        case dn_isa_avx2: call_avx2; break;            \
        case dn_isa_none: break;                       \
    }

void dn_convolve(dn_isa isa, dn_format format, const dn_convolution *o) {
    DN_DISPATCH(dn_convolve_avx2(format, o), dn_convolve_avx512(format, o), dn_convolve_avx512_bf16(format, o))
}

void dn_normalize(dn_isa isa, const dn_normalization *o) {
    DN_DISPATCH(dn_normalize_avx2(o), dn_normalize_avx512(o), dn_normalize_avx512_bf16(o))
}

void dn_pack(dn_isa isa, dn_format format, const dn_packing *o) {
    DN_DISPATCH(dn_pack_avx2(format, o), dn_pack_avx512(format, o), dn_pack_avx512_bf16(format, o))
}

void dn_quantize(dn_isa isa, const dn_quantization *o) {
    DN_DISPATCH(dn_quantize_avx2(o), dn_quantize_avx512(o), dn_quantize_avx512_bf16(o))
}

float dn_read(dn_isa isa, const void *memory, int64_t bytes) {
    float sum = 0;
    DN_DISPATCH(sum = dn_read_avx2(memory, bytes), sum = dn_read_avx512(memory, bytes),
                sum = dn_read_avx512_bf16(memory, bytes))
    return sum;
}

int64_t dn_multiply(dn_isa isa, dn_format format, int64_t rounds, float *sink) {
    int64_t operations = 0;
    DN_DISPATCH(operations = dn_multiply_avx2(format, rounds, sink),
                operations = dn_multiply_avx512(format, rounds, sink),
                operations = dn_multiply_avx512_bf16(format, rounds, sink))
    return operations;
}

int32_t dn_integer_channels(dn_isa isa) { return isa >= dn_isa_avx512_bf16 ? 4 : 2; }
int32_t dn_block_vectors(dn_isa isa) { return isa >= dn_isa_avx512 ? dn_max_vectors : 1; }

#else

dn_isa dn_best_isa(void) { return dn_isa_none; }
void dn_convolve(dn_isa isa, dn_format format, const dn_convolution *o) { (void)isa, (void)format, (void)o; }
void dn_normalize(dn_isa isa, const dn_normalization *o) { (void)isa, (void)o; }
void dn_pack(dn_isa isa, dn_format format, const dn_packing *o) { (void)isa, (void)format, (void)o; }
void dn_quantize(dn_isa isa, const dn_quantization *o) { (void)isa, (void)o; }
int32_t dn_integer_channels(dn_isa isa) { (void)isa; return 2; }
int32_t dn_block_vectors(dn_isa isa) { (void)isa; return 1; }
float dn_read(dn_isa isa, const void *memory, int64_t bytes) { (void)isa, (void)memory, (void)bytes; return 0; }
int64_t dn_multiply(dn_isa isa, dn_format format, int64_t rounds, float *sink) {
    (void)isa, (void)format, (void)rounds, (void)sink;
    return 0;
}

#endif
