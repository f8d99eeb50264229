// What the tests of the kernels share: memory that ends at a page nobody may touch, random numbers, and comparisons.
//
// A comparison is of what a kernel gave with what plain double-precision or integer arithmetic gives, and of their difference with
// a bound. Each kind of comparison keeps its largest difference, in units of its bound, for the report.
#ifndef DENOISED_KERNEL_CHECK_H
#define DENOISED_KERNEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

/// `bytes` of zeros that start at a multiple of 64 bytes. Whatever lies 64 bytes or more behind them is forbidden, and so is
/// whatever lies before them but for one page. `free_all` frees them.
void *guarded(size_t bytes);

/// Frees all memory of `guarded`.
void free_all(void);

/// Begins a sequence of random numbers that depends on `seed` only.
void start_random(uint64_t seed);

/// A random integer of least...most.
int random_integer(int least, int most);

/// A random number of -1...1.
float random_number(void);

/// `count` random numbers of -1...1, in memory of `guarded`.
float *random_numbers(size_t count);

/// The bits of the nearest bf16, ties to even.
uint32_t bf16_bits(float value);

/// The number that the low half of `bits` stands for as a bf16.
double bf16_value(uint32_t bits);

/// The number that a cell's 4 bytes stand for as a float, and back.
float cell_value(uint32_t cell);
uint32_t cell_of(float value);

/// The number of `divisor`s that cover `count`.
int covering(int count, int divisor);

/// Begins the comparisons of one kind.
void start_check(const char *kernels, const char *kind);

/// Compares. What is not a number differs from everything.
void expect_near(double found, double expected, double bound);

/// Notes a failure unless `holds`; `what` says what does not hold.
void expect(bool holds, const char *what);

/// Ends the comparisons of one kind, and reports them.
void finish_check(void);

/// How many kinds failed.
int failures(void);

// The tests, one function for each file.
void test_convolutions(const dn_kernels *kernels);
void test_activations(const dn_kernels *kernels);
void test_image_convolutions(const dn_kernels *kernels);
void test_image_activations(const dn_kernels *kernels);
void test_filtering(const dn_kernels *kernels);

#endif
