#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

// Bits of the register XCR0: what the operating system saves when it switches threads. A feature can be used only if the
// registers that it needs are saved.
enum {
    saves_vectors = 1 << 1 | 1 << 2,                                // of 128 and of 256 bits
    saves_long_vectors = saves_vectors | 1 << 5 | 1 << 6 | 1 << 7,  // of 512 bits, and masks
};

typedef enum { eax, ebx, ecx, edx, registers } cpuid_register;

// Where `cpuid` tells of a feature (Intel SDM, volume 2A, CPUID), and what the operating system must save for it.
static const struct {
    dn_feature feature;
    const char *name;
    uint32_t leaf;
    uint32_t subleaf;
    cpuid_register in;
    int bit;
    uint32_t saved;
} sources[] = {
    {dn_avx, "avx", 1, 0, ecx, 28, saves_vectors},
    {dn_avx2, "avx2", 7, 0, ebx, 5, saves_vectors},
    {dn_fma, "fma", 1, 0, ecx, 12, saves_vectors},
    {dn_f16c, "f16c", 1, 0, ecx, 29, saves_vectors},
    {dn_avx_vnni, "avx_vnni", 7, 1, eax, 4, saves_vectors},
    {dn_avx512f, "avx512f", 7, 0, ebx, 16, saves_long_vectors},
    {dn_avx512bw, "avx512bw", 7, 0, ebx, 30, saves_long_vectors},
    {dn_avx512vl, "avx512vl", 7, 0, ebx, 31, saves_long_vectors},
    {dn_avx512dq, "avx512dq", 7, 0, ebx, 17, saves_long_vectors},
    {dn_avx512_vnni, "avx512_vnni", 7, 0, ecx, 11, saves_long_vectors},
    {dn_avx512_bf16, "avx512_bf16", 7, 1, eax, 5, saves_long_vectors},
};

enum { source_count = sizeof sources / sizeof *sources };

// XCR0; 0 if the operating system does not use it.
static uint32_t saved_registers(void) {
    uint32_t r[registers] = {0};
    const uint32_t uses_xsave = 1u << 27;
    if (!__get_cpuid_count(1, 0, &r[eax], &r[ebx], &r[ecx], &r[edx]) || !(r[ecx] & uses_xsave)) return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

uint32_t dn_processor_features(void) {
    const uint32_t saved = saved_registers();
    uint32_t features = 0;
    for (int i = 0; i < source_count; i++) {
        // Leaf 7 has its largest subleaf in eax of subleaf 0; beyond it cpuid gives arbitrary numbers.
        uint32_t r[registers] = {0};
        if (!__get_cpuid_count(sources[i].leaf, 0, &r[eax], &r[ebx], &r[ecx], &r[edx])) continue;
        if (sources[i].subleaf > 0) {
            if (sources[i].subleaf > r[eax]) continue;
            __cpuid_count(sources[i].leaf, sources[i].subleaf, r[eax], r[ebx], r[ecx], r[edx]);
        }
        const bool is_saved = (saved & sources[i].saved) == sources[i].saved;
        if (is_saved && r[sources[i].in] >> sources[i].bit & 1) features |= sources[i].feature;
    }
    return features;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

// The bit that Linux sets for a feature that every core has, in which entry of the auxiliary vector (Linux,
// Documentation/arch/arm64/elf_hwcaps.rst).
static const struct {
    dn_feature feature;
    const char *name;
    unsigned long entry;
    unsigned long bit;
} sources[] = {
    {dn_asimd, "asimd", AT_HWCAP, HWCAP_ASIMD},
    {dn_asimddp, "asimddp", AT_HWCAP, HWCAP_ASIMDDP},
    {dn_i8mm, "i8mm", AT_HWCAP2, HWCAP2_I8MM},
    {dn_arm_bf16, "bf16", AT_HWCAP2, HWCAP2_BF16},
};

enum { source_count = sizeof sources / sizeof *sources };

uint32_t dn_processor_features(void) {
    uint32_t features = 0;
    for (int i = 0; i < source_count; i++)
        if (getauxval(sources[i].entry) & sources[i].bit) features |= sources[i].feature;
    return features;
}

#else

static const struct {
    dn_feature feature;
    const char *name;
} sources[1];

enum { source_count = 0 };

uint32_t dn_processor_features(void) { return 0; }

#endif

const char *dn_feature_name(dn_feature feature) {
    for (int i = 0; i < source_count; i++)
        if (sources[i].feature == feature) return sources[i].name;
    return NULL;
}
