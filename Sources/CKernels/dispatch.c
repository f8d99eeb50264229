#include "internal.h"

dn_isa dn_best_isa(void) {
    dn_isa isa = dn_isa_avx512_bf16;
    while (!dn_supports(isa)) isa--;
    return isa;
}

#if defined(__x86_64__)

bool dn_supports(dn_isa isa) {
    __builtin_cpu_init();
    switch (isa) {
        case dn_isa_none:
            return true;
        case dn_isa_avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case dn_isa_avx2_vnni:
            return dn_supports(dn_isa_avx2) && __builtin_cpu_supports("avxvnni");
        case dn_isa_avx512:
            return dn_supports(dn_isa_avx2) && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq");
        case dn_isa_avx512_vnni:
            return dn_supports(dn_isa_avx512) && __builtin_cpu_supports("avx512vnni");
        case dn_isa_avx512_bf16:
            return dn_supports(dn_isa_avx512_vnni) && __builtin_cpu_supports("avx512bf16");
    }
    return false;
}

// Calls what is compiled for `isa`, `result =` in front of it if there is one.
#define DN_DISPATCH(result, name, ...)                                              \
    switch (isa) {                                                                  \
        case dn_isa_avx512_bf16: result name##_avx512_bf16(__VA_ARGS__); break;     \
        case dn_isa_avx512_vnni: result name##_avx512_vnni(__VA_ARGS__); break;     \
        case dn_isa_avx512: result name##_avx512(__VA_ARGS__); break;               \
        case dn_isa_avx2_vnni: result name##_avx2_vnni(__VA_ARGS__); break;         \
        case dn_isa_avx2: result name##_avx2(__VA_ARGS__); break;                   \
        case dn_isa_none: break;                                                    \
    }

void dn_convolve(dn_isa isa, dn_format format, const dn_convolution *o) { DN_DISPATCH(, dn_convolve, format, o) }

void dn_normalize(dn_isa isa, const dn_normalization *o) { DN_DISPATCH(, dn_normalize, o) }

void dn_pack(dn_isa isa, dn_format format, const dn_packing *o) { DN_DISPATCH(, dn_pack, format, o) }

void dn_quantize(dn_isa isa, const dn_quantization *o) { DN_DISPATCH(, dn_quantize, o) }

float dn_read(dn_isa isa, const void *memory, int64_t bytes) {
    float sum = 0;
    DN_DISPATCH(sum =, dn_read, memory, bytes)
    return sum;
}

int64_t dn_multiply(dn_isa isa, dn_format format, int64_t rounds, float *sink) {
    int64_t operations = 0;
    DN_DISPATCH(operations =, dn_multiply, format, rounds, sink)
    return operations;
}

int32_t dn_integer_channels(dn_isa isa) {
    return isa == dn_isa_avx2_vnni || isa == dn_isa_avx512_vnni || isa == dn_isa_avx512_bf16 ? 4 : 2;
}

int32_t dn_block_vectors(dn_isa isa) { return isa >= dn_isa_avx512 ? dn_max_vectors : 1; }

#else

bool dn_supports(dn_isa isa) { return isa == dn_isa_none; }
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
