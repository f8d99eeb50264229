// Compares every function of every set of kernels that this processor supports with plain scalar arithmetic, over random shapes.
//
//     kernels-test                     tests what is supported
//     kernels-test NAME [NAME...]      also fails unless exactly these sets are supported, the preferred one first
//
// scripts/test-arm-kernels runs it on emulated processors.
#include <stdio.h>
#include <string.h>

#include "check.h"

static void check_features(void) {
    for (int bit = 0; bit < 32; bit++) {
        const uint32_t feature = 1u << bit;
        if (dn_processor_features() & feature)
            expect(dn_feature_name((dn_feature)feature) != NULL, "a feature of the processor has a name");
    }
    expect(dn_feature_name((dn_feature)0) == NULL, "no feature has no name");
}

// Whether the supported sets are those that are expected.
static void check_choice(int count, char **names) {
    start_check("all", "choice");
    int supported = 0;
    for (const dn_kernels *const *next = dn_all_kernels(); *next; next++) {
        if (!dn_supports(*next)) continue;
        printf("supported: %s\n", (*next)->name);
        if (supported == 0) expect(dn_preferred_kernels() == *next, "the first supported set is preferred");
        const bool is_expected = supported < count && strcmp(names[supported], (*next)->name) == 0;
        if (count > 0 && !is_expected) {
            fprintf(stderr, "kernels: %s is supported, expected %s\n", (*next)->name,
                    supported < count ? names[supported] : "no more");
            expect(false, "the supported sets are the expected ones");
        }
        supported++;
    }
    for (int i = supported; i < count; i++) {
        fprintf(stderr, "kernels: %s is not supported\n", names[i]);
        expect(false, "all expected sets are supported");
    }
    expect(supported > 0, "some set of kernels is supported");
    check_features();
    finish_check();
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_choice(count - 1, arguments + 1);
    for (const dn_kernels *const *next = dn_all_kernels(); *next; next++) {
        if (!dn_supports(*next)) continue;
        test_convolutions(*next);
        test_activations(*next);
        test_image_convolutions(*next);
        test_image_activations(*next);
        test_filtering(*next);
    }
    if (failures() > 0) fprintf(stderr, "kernels: %d kinds of comparisons failed\n", failures());
    return failures() > 0;
}
