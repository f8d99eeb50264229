#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { most_regions = 256 };

static struct {
    void *start;
    size_t bytes;
} regions[most_regions];
static int region_count;

void *guarded(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t used = (bytes + 63) / 64 * 64;
    const size_t whole = (used + page - 1) / page * page + 2 * page;
    char *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || region_count == most_regions || mprotect(start + whole - page, page, PROT_NONE) != 0) {
        fprintf(stderr, "kernels: no memory for %zu bytes\n", bytes);
        exit(2);
    }
    regions[region_count].start = start;
    regions[region_count++].bytes = whole;
    return start + whole - page - used;
}

void free_all(void) {
    while (region_count > 0) {
        region_count--;
        munmap(regions[region_count].start, regions[region_count].bytes);
    }
}

static uint64_t state;

void start_random(uint64_t seed) { state = seed; }

// SplitMix64 (Steele, Lea and Flood 2014).
static uint64_t next_random(void) {
    uint64_t x = state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

int random_integer(int least, int most) { return least + (int)(next_random() % (uint64_t)((int64_t)most - least + 1)); }

float random_number(void) { return (float)((double)(next_random() >> 40) / (1 << 23) - 1); }

float *random_numbers(size_t count) {
    float *numbers = guarded(count * sizeof *numbers);
    for (size_t i = 0; i < count; i++) numbers[i] = random_number();
    return numbers;
}

float cell_value(uint32_t cell) {
    float value;
    memcpy(&value, &cell, sizeof value);
    return value;
}

uint32_t cell_of(float value) {
    uint32_t cell;
    memcpy(&cell, &value, sizeof cell);
    return cell;
}

uint32_t bf16_bits(float value) {
    const uint32_t bits = cell_of(value), kept = bits >> 16, rest = bits & 0xffff;
    const bool rounds_up = rest > 0x8000 || (rest == 0x8000 && kept % 2 == 1);
    return kept + rounds_up;
}

double bf16_value(uint32_t bits) { return cell_value(bits << 16); }

int covering(int count, int divisor) { return (count + divisor - 1) / divisor; }

static const char *tested, *kind;
static double largest;  // difference, in units of its bound
static long comparisons, wrong;
static int failed_kinds;

void start_check(const char *kernels, const char *of) {
    tested = kernels;
    kind = of;
    largest = 0;
    comparisons = wrong = 0;
}

void expect_near(double found, double expected, double bound) {
    const double difference = fabs(found - expected);
    comparisons++;
    if (difference <= bound) {
        if (bound > 0 && difference / bound > largest) largest = difference / bound;
    } else if (wrong++ < 3) {
        fprintf(stderr, "kernels: %s: %s: %.9g, expected %.9g to %.2g\n", tested, kind, found, expected, bound);
    }
}

void expect(bool holds, const char *what) {
    comparisons++;
    if (!holds && wrong++ < 3) fprintf(stderr, "kernels: %s: %s: not so: %s\n", tested, kind, what);
}

void finish_check(void) {
    if (comparisons == 0) fprintf(stderr, "kernels: %s: %s: nothing was compared\n", tested, kind);
    const bool is_wrong = wrong > 0 || comparisons == 0;
    failed_kinds += is_wrong;
    printf("%-13s %-36s %8ld compared, %ld wrong, largest difference %.2f of the bound\n", tested, kind, comparisons,
           wrong, largest);
    free_all();
}

int failures(void) { return failed_kinds; }
