// The denoiser's SIMD micro-kernels and the choice of them at run time. Everything here works on plain memory: who owns
// it, how it is laid out as a network and who runs what when is the Swift module Denoiser's business.
//
// Layouts. `lanes` is 16 everywhere, whatever the register width.
//   input    [rows][rowStride] 4-byte cells, a row for each input channel (f32) or pair of channels (bf16, the even
//            channel in the low half), a column for each position. A position is a (time, sample) pair, sample fastest.
//            As integers, cells are made from pairs of bf16 in one of two ways, the instruction set's
//            (`dn_integer_channels`): 2 channels of 16 bits, multiples of a scale, or 4 channels of 8 bits, multiples of a
//            scale above an offset. Each `dn_scaled_channels` channels have a scale, and an offset, at each position:
//            [channels / dn_scaled_channels, rounded up][rowStride].
//   weights  [taps][rows][vectors][lanes] 4-byte cells, for a block of `vectors * lanes` output channels. For inputs of
//            integers 8 bits each: [taps][rows][vectors][lanes][channels of a cell] bytes.
//   output   [positions][outputStride] floats, a row for each position.
#ifndef DENOISED_CKERNELS_H
#define DENOISED_CKERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    dn_lanes = 16,
    dn_max_vectors = 4,
    // Largest number of int8 x int16 products whose sum fits in int32.
    dn_scaled_channels = 512,
};

/// Instruction sets, worst first.
typedef enum {
    dn_isa_none = 0,
    dn_isa_avx2 = 1,
    dn_isa_avx2_vnni = 2,
    dn_isa_avx512 = 3,
    dn_isa_avx512_vnni = 4,
    dn_isa_avx512_bf16 = 5,  // VNNI included
} dn_isa;

/// Whether this processor and operating system support an instruction set.
bool dn_supports(dn_isa isa);

/// The best one that they support.
dn_isa dn_best_isa(void);

/// What an input cell holds, and a weight cell with it.
typedef enum {
    dn_f32 = 0,
    dn_bf16 = 1,
    dn_integers = 2,  // weights of 8 bits
} dn_format;

/// One tap of a convolution: which positions it writes, and which it reads for the first of them.
typedef struct {
    int32_t output_first;
    int32_t count;           // at least 1
    int32_t input_first;
    bool starts;             // the outputs hold nothing yet: they start from the bias
} dn_tap;

/// A convolution of one block of output channels. Every output is started by one tap.
typedef struct {
    const uint32_t *weights;
    const uint32_t *input;
    float *output;
    const float *bias;       // [vectors * lanes]
    const float *scales;     // of integers only: [vectors * lanes], what a weight of 1 stands for
    const float *input_scales; // likewise, what an input of 1 stands for, above the offset if there is one
    // Of integers in fours only: what an input of 0 stands for, and the sums of what the weights that meet it stand for,
    // [taps][channels / dn_scaled_channels, rounded up][vectors * lanes].
    const float *input_offsets;
    const float *weight_sums;
    const dn_tap *taps;
    int32_t tap_count;
    int32_t rows;
    int32_t vectors;         // 1...dn_max_vectors
    int64_t row_stride;      // cells
    int64_t output_stride;   // floats
} dn_convolution;

/// output[p] = bias + sum over taps and rows of input * weights.
void dn_convolve(dn_isa isa, dn_format format, const dn_convolution *convolution);

/// Channels a cell of integers has: 2 or 4.
int32_t dn_integer_channels(dn_isa isa);

/// Output channels a call should take at most, in vectors of `dn_lanes`.
int32_t dn_block_vectors(dn_isa isa);

/// Group normalisation, Mish, FiLM and residual of one sample, whole groups of channels at a time.
typedef struct {
    float *values;           // [times * samples][value_stride], of which this sample's positions are read
    int64_t value_stride;
    int32_t sample;
    int32_t samples;
    int32_t times;
    int32_t channel_first;   // a multiple of dn_lanes
    int32_t channel_count;   // whole groups
    int32_t group_width;
    const float *gain;       // [all channels], readable to the next multiple of dn_lanes, as is everything below
    const float *bias;
    const float *film_scale; // this sample's [all channels], or NULL
    const float *film_shift; // likewise
    const float *residual;   // [times * samples][residual_stride], or NULL
    int64_t residual_stride;
    float *scratch;          // 2 * channel_count, each rounded up to a multiple of dn_lanes
} dn_normalization;

/// Normalises in place: values = film(mish(norm(values))) + residual.
void dn_normalize(dn_isa isa, const dn_normalization *normalization);

/// Copies a block of channels to a convolution's input layout. Rows are readable and writable to the next multiple of
/// dn_lanes positions and channels.
typedef struct {
    const float *values;     // [times * samples][value_stride]
    int64_t value_stride;
    int32_t positions;
    int32_t channel_first;   // a multiple of dn_lanes
    int32_t channel_count;   // real channels to write; in bf16 an odd last one is paired with zero
    uint32_t *input;         // row 0 of the destination belongs to channel_first
    int64_t row_stride;
    const int32_t *columns;  // [positions], where each position goes; NULL: to the column of its own number
} dn_packing;

void dn_pack(dn_isa isa, dn_format format, const dn_packing *packing);

/// Turns packed rows of bf16 into integers.
typedef struct {
    const uint32_t *input;   // readable to the next multiple of dn_lanes positions, as what follows is writable
    uint32_t *integers;
    float *scales;
    float *offsets;          // where integers come in fours
    int32_t rows;            // of the input
    int32_t positions;
    int64_t row_stride;      // cells, of all
} dn_quantization;

void dn_quantize(dn_isa isa, const dn_quantization *quantization);

/// Reads `bytes`, a multiple of 64 * 16, from memory and returns something that depends on all of it.
float dn_read(dn_isa isa, const void *memory, int64_t bytes);

/// Multiplies and adds in registers, as the convolutions do. Returns the operations done; `sink` gets something that
/// depends on all of them.
int64_t dn_multiply(dn_isa isa, dn_format format, int64_t rounds, float *sink);

/// Tells the processor that this thread is spinning.
static inline void dn_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
