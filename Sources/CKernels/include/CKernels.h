// The denoiser's SIMD micro-kernels: a table of functions for each instruction set, and which tables this processor runs.
// Everything here works on plain memory: who owns it, how it is laid out as a network and who runs what when is the Swift
// module Compute's business.
//
// Layouts. `lanes` is 16 everywhere, whatever the register width.
//   input    [rows][rowStride] 4-byte cells, a row for each input channel (f32) or pair of channels (bf16, the even
//            channel in the low half), a column for each position. A position is a (time, sample) pair, sample fastest.
//            As integers, cells are made from pairs of bf16 in one of two ways, the table's
//            (`integer_channels`): 2 channels of 16 bits, multiples of a scale, or 4 channels of 7 or 8 bits, multiples of
//            a scale above an offset. Each `dn_scaled_channels` channels have a scale, and an offset, at each position:
//            [channels / dn_scaled_channels, rounded up][rowStride].
//   weights  [taps][rows][vectors][lanes] 4-byte cells, for a block of `vectors * lanes` output channels. For inputs of
//            integers 8 bits each: [taps][rows][vectors][lanes][channels of a cell] bytes. If the table's `has_groups` is
//            true, `dn_group_rows` rows each make a group, beginning anew with each scale of the input. In a group either
//            the first two or the last two weights of a lane's cells add up to at most `dn_group_weights`, those above
//            zero and those below zero each: what is summed in 16 bits then fits.
//   output   [positions][outputStride] floats, a row for each position.
//
// Alignment. 4 bytes suffice for every pointer. Weights, inputs and outputs that start at multiples of 64 bytes are read and
// written faster, because no vector of theirs lies in two cache lines.
//
// Not a number. An infinity or NaN in an input makes every output that it contributes to an infinity or NaN, in all formats.
// `dn_pack` to bf16 keeps infinities and the NaNs that arithmetic makes; of other NaNs it may make numbers.
#ifndef DENOISED_CKERNELS_H
#define DENOISED_CKERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    dn_lanes = 16,
    dn_max_vectors = 4,
    // Largest number of int8 x int16 products whose sum fits in int32.
    dn_scaled_channels = 512,
    // Of integers in groups: rows of a group, and the largest sum of a group's weights of either sign.
    dn_group_rows = 4,
    dn_group_weights = 258,
};

/// What an input cell holds, and a weight cell with it.
typedef enum {
    dn_f32 = 0,
    dn_bf16 = 1,
    dn_integers = 2,  // weights of 8 bits
} dn_format;

/// One tap of a convolution: which positions it writes, and which it reads for the first of them.
typedef struct {
    int32_t output_first;
    int32_t count;  // at least 1
    int32_t input_first;
    bool starts;  // the outputs hold nothing yet: they start from the bias
} dn_tap;

/// A convolution of one block of output channels. Every output is started by one tap.
typedef struct {
    const uint32_t *weights;
    const uint32_t *input;
    float *output;
    const float *bias;          // [vectors * lanes]
    const float *scales;        // of integers only: [vectors * lanes], what a weight of 1 stands for
    const float *input_scales;  // likewise, what an input of 1 stands for, above the offset if there is one
    // Of integers in fours only: what an input of 0 stands for, and the sums of what the weights that meet it stand for,
    // [taps][channels / dn_scaled_channels, rounded up][vectors * lanes].
    const float *input_offsets;
    const float *weight_sums;
    const dn_tap *taps;
    int32_t tap_count;
    int32_t rows;
    int32_t vectors;        // 1...dn_max_vectors
    int64_t row_stride;     // cells
    int64_t output_stride;  // floats
} dn_convolution;

/// Group normalisation, Mish, FiLM and residual of one sample, whole groups of channels at a time.
typedef struct {
    float *values;  // [times * samples][value_stride], of which this sample's positions are read
    int64_t value_stride;
    int32_t sample;
    int32_t samples;
    int32_t times;
    int32_t channel_first;  // a multiple of dn_lanes
    int32_t channel_count;  // whole groups
    int32_t group_width;
    const float *gain;  // [all channels], readable to the next multiple of dn_lanes, as is everything below
    const float *bias;
    const float *film_scale;  // this sample's [all channels], or NULL
    const float *film_shift;  // likewise
    const float *residual;    // [times * samples][residual_stride], or NULL
    int64_t residual_stride;
    float *scratch;  // 2 * channel_count, each rounded up to a multiple of dn_lanes
} dn_normalization;

/// Copies a block of channels to a convolution's input layout. Rows are readable and writable to the next multiple of
/// dn_lanes positions and channels.
typedef struct {
    const float *values;  // [times * samples][value_stride]
    int64_t value_stride;
    int32_t positions;
    int32_t channel_first;  // a multiple of dn_lanes
    int32_t channel_count;  // real channels to write; in bf16 an odd last one is paired with zero
    uint32_t *input;        // row 0 of the destination belongs to channel_first
    int64_t row_stride;
    const int32_t *columns;  // [positions], where each position goes; NULL: to the column of its own number
} dn_packing;

/// Turns packed rows of bf16 into integers.
typedef struct {
    const uint32_t *input;  // readable to the next multiple of dn_lanes positions, as what follows is writable
    uint32_t *integers;
    float *scales;
    float *offsets;  // read if integers come in fours
    int32_t rows;    // of the input
    int32_t positions;
    int64_t row_stride;  // cells, of all
} dn_quantization;

// A convolution in time of 5 or 3 taps may be computed in tiles of 4 outputs by minimal filtering, F(4, 5) or F(4, 3) of Winograd
// (Lavin and Gray 2015, arXiv 1509.09308): 8 products for each pair of channels instead of 20, or 6 instead of 12. Inputs and
// weights are evaluated at points: 0, infinity, and with either sign 1/2, 1 and 2, or with 3 taps sqrt(1/2) and sqrt(2). The
// products at each point are a convolution of one tap over the tiles; the outputs are interpolated from them.
//   columns  tiles * samples, sample fastest. Tile t has the outputs 4 t ... 4 t + 3, of which the last ones may not exist.
//   input    [rows][rowStride] cells of f32: a row has `columns` cells for each point.
//   products [points][columns][stride] floats.

enum {
    dn_filter_outputs = 4,
};

/// Evaluates a block of channels at all points. Values are readable to the next multiple of dn_lanes channels.
typedef struct {
    const float *values;  // [times * samples][value_stride]
    int64_t value_stride;
    const int32_t *positions;  // [times * samples], where each position lies among the values; NULL: at its own number
    int32_t taps;              // 5 or 3
    int32_t times;             // of the input, and of the output
    int32_t tiles;             // times / 4, rounded up
    int32_t samples;
    int32_t channel_first;  // a multiple of dn_lanes
    int32_t channel_count;
    uint32_t *input;  // row 0 of the destination belongs to channel_first
    int64_t row_stride;
} dn_filter_input;

/// Interpolates a block of channels from their products.
typedef struct {
    const float *products;  // the block's first channel, as those that follow
    float *output;          // [times * samples][stride]
    const float *bias;
    int64_t stride;  // floats, of products and outputs
    int32_t taps;
    int32_t times;
    int32_t tiles;
    int32_t samples;
    int32_t channel_count;  // a multiple of dn_lanes
} dn_filter_output;

// Images. Their layouts differ from those above: a convolution reads its input as the layer before it wrote it.
//   planes   [blocks of 16 channels][rows][positions][cells of a block], with a border of zeros around the rows and positions.
//            A block at a position is `dn_lanes` floats, half as many pairs of bf16, or integers: 4 cells of four bytes, or
//            8 cells of pairs of 16 bits, as the table's `integer_channels` says. Where the table's bytes have a sign, -128
//            stands for zero, in the border too.
//   rgb      [rows][positions][3] floats, with a border of 3.
//   sums     [vectors][frames][rows][width][lanes] floats.
//   pieces   What a convolution multiplies is cut into pieces: a block of channels under one tap, or a row of 7 taps over rgb.
//            A piece is where it starts in the input for the output's first position.
//   weights  [pieces][cells of a piece][vectors][lanes] cells. A cell of integers has 4 weights of 8 bits, or 2 of 16.

enum {
    dn_rgb = 3,
    dn_rgb_taps = 7,
};

/// A convolution of one block of output channels, over some rows of each frame.
typedef struct {
    const uint32_t *weights;
    const uint32_t *input;  // the output's first position: its pieces are found from here
    const int32_t *pieces;  // [piece_count], cells
    int32_t piece_count;
    int32_t stride;        // 1 or 2: how far apart the inputs of neighbouring outputs lie
    bool is_rgb;           // the input is rgb and the stride 2
    int64_t row_stride;    // cells between the inputs of two rows of the output
    int64_t frame_stride;  // cells
    float *sums;
    int64_t sum_stride;         // floats between vectors
    int64_t sum_frame_stride;   // floats
    const float *scales;        // of integers only: [vectors * lanes], what a weight of 1 stands for
    const float *input_scales;  // likewise, [frames], what an input of 1 stands for
    int32_t vectors;            // 1, 2 or 4, at most the table's block_vectors
    int32_t width;
    int32_t rows;
    int32_t frames;
} dn_image_convolution;

// A convolution of 3 by 3 taps may be computed in tiles of 2 by 2 or 4 by 4 outputs, by the minimal filtering F(2 x 2, 3 x 3) or
// F(4 x 4, 3 x 3) of Winograd (Lavin and Gray 2015, arXiv 1509.09308): 16 products for each pair of channels instead of 36, or 36
// instead of 144. Inputs and weights are transformed; then each of the products is a convolution of one tap over the tiles.

/// Transforms a block of channels: B^T d B for each tile, whose inputs d are 2 positions longer and wider than its outputs.
typedef struct {
    const float *values;   // the plane's first position, behind its border of zeros
    int64_t value_stride;  // floats between rows
    int32_t height;        // of the plane
    int32_t width;
    int32_t outputs;    // rows, and columns, of a tile's outputs: 2 or 4
    int32_t first_row;  // of the output: that of the first tiles
    int32_t tile_rows;
    int32_t tile_columns;
    float *tiles;            // [products][tile_rows][tile_columns][lanes]
    int64_t product_stride;  // floats between products
} dn_tile_input;

/// Makes a vector's sums of the products: A^T m A for each tile.
typedef struct {
    const float *products;   // [products][tile rows][tile columns][lanes]
    int64_t product_stride;  // floats between products
    float *sums;             // [rows][width][lanes]
    int32_t outputs;         // rows, and columns, of a tile: 2 or 4
    int32_t rows;
    int32_t width;
} dn_tile_output;

/// What becomes of a vector of a convolution's sums: values = rectified(sums * scale + shift + residual).
typedef struct {
    const float *sums;        // [rows][width][lanes]
    const float *scale;       // [lanes]
    const float *shift;       // [lanes]
    const float *residual;    // [rows][width][lanes], or NULL
    int64_t residual_stride;  // floats between rows
    bool rectifies;
    // Either or both may be NULL. The first position of the first row; a position before and after each row becomes zero.
    float *values;
    int64_t value_stride;  // floats between rows
    uint32_t *pairs;       // of bf16
    int64_t pair_stride;   // cells between rows
    float *largest;        // becomes the largest value if that is larger
    int32_t width;
    int32_t rows;
} dn_image_output;

/// Takes the largest of 3 by 3 positions, 2 apart.
typedef struct {
    const float *values;   // [rows][width][lanes], where the first output's first input lies
    int64_t value_stride;  // floats between rows
    float *sums;           // [rows][width][lanes]
    int32_t width;
    int32_t rows;
} dn_image_pooling;

/// Turns a block of values into integers; values below zero there are none.
typedef struct {
    const float *values;
    int64_t value_stride;  // floats between rows
    uint32_t *cells;       // a position before and after each row becomes zero
    int64_t cell_stride;   // cells between rows
    float scale;           // what an integer of 1 stands for
    int32_t width;
    int32_t rows;
} dn_image_quantization;

/// Expected positions of a vector of keypoints: the mean of the grid's points, weighted by a softmax over the logits.
typedef struct {
    const float *logits;  // [positions][lanes]
    const float *grid;    // [positions][2], x first
    int32_t positions;
    float *x;  // [lanes]
    float *y;  // [lanes]
} dn_keypoints;

/// Features of a processor that kernels may need. To add one: a bit here, and in features.c how to find it out.
typedef enum {
    dn_avx = 1 << 0,
    dn_avx2 = 1 << 1,
    dn_fma = 1 << 2,
    dn_f16c = 1 << 3,
    dn_avx_vnni = 1 << 4,
    dn_avx512f = 1 << 5,
    dn_avx512bw = 1 << 6,
    dn_avx512vl = 1 << 7,
    dn_avx512dq = 1 << 8,
    dn_avx512_vnni = 1 << 9,
    dn_avx512_bf16 = 1 << 10,
    dn_asimd = 1 << 11,
    dn_asimddp = 1 << 12,  // products of four bytes
    dn_i8mm = 1 << 13,     // likewise, of which one operand has no sign, and of matrices of bytes
    dn_arm_bf16 = 1 << 14,
} dn_feature;

/// The features that this processor has and the operating system lets programs use: one bit for each `dn_feature`.
uint32_t dn_processor_features(void);

/// A feature's name, as Linux spells it in /proc/cpuinfo; NULL if `feature` is none.
const char *dn_feature_name(dn_feature feature);

/// The kernels of one instruction set.
typedef struct {
    const char *name;
    /// The features it needs: one bit for each `dn_feature`.
    uint32_t features;
    /// The formats in which it is of use: one bit, `1 << dn_format`, for each. Its functions take the others as well, and
    /// compute them as a table that needs fewer features does.
    uint32_t formats;
    /// Whether it multiplies bf16 in one instruction; if not, as floats.
    bool multiplies_bf16;
    /// Channels of a cell of integers: 2 or 4.
    int32_t integer_channels;
    /// The largest integer, with or without a sign, that it makes of inputs: 32767 of pairs, 255 or 127 of fours.
    int32_t largest_input;
    /// Whether weights that meet integers in fours are limited: see `dn_group_weights`.
    bool has_groups;
    /// Whether the integers of 8 bits that it makes of inputs have a sign: -128 is the least then, instead of 0.
    bool bytes_have_sign;
    /// Channels of a cell of integers of an image: 2 or 4.
    int32_t image_channels;
    /// Output channels that a call of `convolve` should take at most, in vectors of `dn_lanes`; 1...dn_max_vectors.
    int32_t block_vectors;

    // The functions below, which call these, say what they do.
    void (*convolve)(dn_format format, const dn_convolution *convolution);
    void (*normalize)(const dn_normalization *normalization);
    void (*pack)(dn_format format, const dn_packing *packing);
    void (*quantize)(const dn_quantization *quantization);
    void (*filter_inputs)(const dn_filter_input *input);
    void (*filter_outputs)(const dn_filter_output *output);
    void (*convolve_image)(dn_format format, const dn_image_convolution *convolution);
    void (*transform_tiles)(const dn_tile_input *input);
    void (*sum_tiles)(const dn_tile_output *output);
    void (*image_moments)(const float *values, int64_t positions, float *mean, float *variance);
    void (*write_image)(const dn_image_output *output);
    void (*pool_image)(const dn_image_pooling *pooling);
    float (*image_scale)(float largest);
    void (*quantize_image)(const dn_image_quantization *quantization);
    void (*locate_keypoints)(const dn_keypoints *keypoints);
    float (*read)(const void *memory, int64_t bytes);
    int64_t (*multiply)(dn_format format, int64_t rounds, float *sink);
} dn_kernels;

/// Every table that was compiled in, the one that is preferred first; NULL ends the list. Empty on an architecture that has
/// no kernels.
const dn_kernels *const *dn_all_kernels(void);

/// Whether this processor has the features that a table needs.
static inline bool dn_supports(const dn_kernels *kernels) {
    return (kernels->features & ~dn_processor_features()) == 0;
}

/// The first table that this processor supports, or NULL.
const dn_kernels *dn_preferred_kernels(void);

/// output[p] = bias + sum over taps and rows of input * weights.
static inline void dn_convolve(const dn_kernels *kernels, dn_format format, const dn_convolution *convolution) {
    kernels->convolve(format, convolution);
}

/// Normalises in place: values = film(mish(norm(values))) + residual.
static inline void dn_normalize(const dn_kernels *kernels, const dn_normalization *normalization) {
    kernels->normalize(normalization);
}

/// Copies as the packing says, to cells of f32 or bf16.
static inline void dn_pack(const dn_kernels *kernels, dn_format format, const dn_packing *packing) {
    kernels->pack(format, packing);
}

/// Makes integers as the quantization says, `integer_channels` in a cell.
static inline void dn_quantize(const dn_kernels *kernels, const dn_quantization *quantization) {
    kernels->quantize(quantization);
}

/// Evaluates inputs at the points of a minimal filtering.
static inline void dn_filter_inputs(const dn_kernels *kernels, const dn_filter_input *input) {
    kernels->filter_inputs(input);
}

/// Makes the outputs of a minimal filtering from its products, and adds the bias.
static inline void dn_interpolate_outputs(const dn_kernels *kernels, const dn_filter_output *output) {
    kernels->filter_outputs(output);
}

/// sums[p] = sum over pieces and their cells of input * weights.
static inline void dn_convolve_image(const dn_kernels *kernels, dn_format format,
                                     const dn_image_convolution *convolution) {
    kernels->convolve_image(format, convolution);
}

/// Transforms a block of inputs for the products of tiles.
static inline void dn_transform_tiles(const dn_kernels *kernels, const dn_tile_input *input) {
    kernels->transform_tiles(input);
}

/// Makes the sums of tiles from their products.
static inline void dn_sum_tiles(const dn_kernels *kernels, const dn_tile_output *output) { kernels->sum_tiles(output); }

/// Mean and variance of [positions][lanes] values, all lanes together.
static inline void dn_image_moments(const dn_kernels *kernels, const float *values, int64_t positions, float *mean,
                                    float *variance) {
    kernels->image_moments(values, positions, mean, variance);
}

/// Writes what a convolution's sums become.
static inline void dn_write_image(const dn_kernels *kernels, const dn_image_output *output) {
    kernels->write_image(output);
}

/// Takes maxima as the pooling says.
static inline void dn_pool_image(const dn_kernels *kernels, const dn_image_pooling *pooling) {
    kernels->pool_image(pooling);
}

/// What an integer of 1 stands for in an image's plane whose largest value is `largest`, at least 0.
static inline float dn_image_scale(const dn_kernels *kernels, float largest) { return kernels->image_scale(largest); }

/// Makes integers as the quantization says, `integer_channels` in a cell.
static inline void dn_quantize_image(const dn_kernels *kernels, const dn_image_quantization *quantization) {
    kernels->quantize_image(quantization);
}

/// Finds the keypoints' expected positions.
static inline void dn_locate_keypoints(const dn_kernels *kernels, const dn_keypoints *keypoints) {
    kernels->locate_keypoints(keypoints);
}

/// Reads `bytes`, a multiple of 64 * 16, from memory and returns something that depends on all of it.
static inline float dn_read(const dn_kernels *kernels, const void *memory, int64_t bytes) {
    return kernels->read(memory, bytes);
}

/// Multiplies and adds in registers, as the convolutions do. Returns the operations done; `sink` gets something that
/// depends on all of them.
static inline int64_t dn_multiply(const dn_kernels *kernels, dn_format format, int64_t rounds, float *sink) {
    return kernels->multiply(format, rounds, sink);
}

/// Whether this was compiled with AddressSanitizer, which then checks every access of the kernels.
bool dn_has_address_sanitizer(void);

/// Tells the processor that this thread is spinning.
static inline void dn_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
