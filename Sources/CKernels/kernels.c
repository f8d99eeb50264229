#include "kernels.h"

// An order of preference and no more: a processor may have any of them, AVX2 with VNNI and without AVX-512, for example.
static const dn_kernels *const tables[] = {
#if defined(__x86_64__)
    &dn_avx512_bf16_kernels,
    &dn_avx512_vnni_kernels,
    &dn_avx512_kernels,
    &dn_avx2_vnni_kernels,
    &dn_avx2_kernels,
#elif defined(__aarch64__)
    &dn_neon_bf16_kernels,
    &dn_neon_i8mm_kernels,
    &dn_neon_dotprod_kernels,
    &dn_neon_kernels,
#endif
    NULL,
};

const dn_kernels *const *dn_all_kernels(void) { return tables; }

const dn_kernels *dn_preferred_kernels(void) {
    const dn_kernels *const *next = dn_all_kernels();
    while (*next && !dn_supports(*next)) next++;
    return *next;
}

bool dn_has_address_sanitizer(void) {
#if __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
}
