// `convolve_image` in all formats, `transform_tiles` and `sum_tiles`.
#include <math.h>

#include "check.h"

// Of a sum's magnitude, the sum of the absolute values of what is summed up.
static const double float_bound = 6e-7;

// The channels of a cell.
static int channels_of(const dn_kernels *kernels, dn_format format) {
    return format == dn_f32 ? 1 : format == dn_bf16 ? 2 : kernels->image_channels;
}

// Adds the products of a cell of weights and a cell of the input.
static void add_cell(const dn_kernels *kernels, dn_format format, uint32_t w, uint32_t x, double *sum,
                     double *magnitude) {
    const int channels = channels_of(kernels, format);
    for (int i = 0; i < channels; i++) {
        double product;
        if (format == dn_f32) product = (double)cell_value(w) * cell_value(x);
        else if (format == dn_bf16) product = bf16_value(w >> 16 * i & 0xffff) * bf16_value(x >> 16 * i & 0xffff);
        else if (channels == 2) product = (double)(int16_t)(w >> 16 * i) * (int16_t)(x >> 16 * i);
        else product = (double)(int8_t)(w >> 8 * i) * (uint8_t)((x >> 8 * i) ^ (kernels->bytes_have_sign ? 0x80 : 0));
        *sum += product;
        *magnitude += fabs(product);
    }
}

// The largest integer of an input, as the kernels make them: what they divide the largest value by.
static int largest_integer(const dn_kernels *kernels) { return (int)lrintf(1e6f / dn_image_scale(kernels, 1e6f)); }

static uint32_t random_cell(const dn_kernels *kernels, dn_format format, bool is_weight) {
    if (format == dn_f32) return cell_of(random_number());
    if (format == dn_bf16) return bf16_bits(random_number()) | bf16_bits(random_number()) << 16;
    const int channels = kernels->image_channels, bits = 32 / channels;
    uint32_t cell = 0;
    for (int i = 0; i < channels; i++) {
        const int integer = is_weight ? random_integer(-127, 127) : random_integer(0, largest_integer(kernels));
        cell |= ((uint32_t)integer & ((1u << bits) - 1)) << bits * i;
    }
    return cell;
}

typedef struct {
    const dn_kernels *kernels;
    dn_format format;
    dn_image_convolution convolution;
    int piece_cells;
    int spacing;  // cells between the inputs of two neighbouring outputs
} example;

static void compare(const example *e) {
    const dn_image_convolution *o = &e->convolution;
    const int channels = o->vectors * dn_lanes;
    for (int f = 0; f < o->frames; f++)
        for (int row = 0; row < o->rows; row++)
            for (int p = 0; p < o->width; p++)
                for (int c = 0; c < channels; c++) {
                    double sum = 0, magnitude = 0;
                    const uint32_t *start = o->input + f * o->frame_stride + row * o->row_stride + p * e->spacing;
                    for (int piece = 0; piece < o->piece_count; piece++)
                        for (int k = 0; k < e->piece_cells; k++)
                            add_cell(e->kernels, e->format, o->weights[(piece * e->piece_cells + k) * channels + c],
                                     start[o->pieces[piece] + k], &sum, &magnitude);
                    const double scale = e->format == dn_integers ? (double)o->scales[c] * o->input_scales[f] : 1;
                    const float *sums = o->sums + c / dn_lanes * o->sum_stride + f * o->sum_frame_stride;
                    expect_near(sums[(row * o->width + p) * dn_lanes + c % dn_lanes], sum * scale,
                                float_bound * fabs(magnitude * scale));
                }
}

static void check_convolution(const dn_kernels *kernels, dn_format format, bool is_rgb, int vectors) {
    example e = {.kernels = kernels, .format = format};
    dn_image_convolution *o = &e.convolution;
    const int taps = is_rgb ? 7 : random_integer(0, 1) ? 3 : 1, blocks = is_rgb ? 1 : random_integer(1, 9);
    o->is_rgb = is_rgb;
    o->stride = is_rgb ? 2 : random_integer(1, 2);
    o->vectors = vectors;
    o->width = random_integer(1, 20);
    o->rows = random_integer(1, 4);
    o->frames = random_integer(1, 2);
    const int cell_count = is_rgb ? dn_rgb : dn_lanes / channels_of(kernels, format);
    e.piece_cells = is_rgb ? dn_rgb_taps * dn_rgb : cell_count;
    e.spacing = o->stride * cell_count;
    const int row_cells = ((o->width - 1) * o->stride + taps) * cell_count;
    const int plane = ((o->rows - 1) * o->stride + taps) * row_cells;
    o->row_stride = o->stride * row_cells;
    o->frame_stride = blocks * plane;
    o->piece_count = is_rgb ? taps : blocks * taps * taps;
    int32_t *pieces = guarded((size_t)o->piece_count * 4);
    for (int i = 0; i < o->piece_count; i++)
        pieces[i] =
            is_rgb ? i * row_cells : i / (taps * taps) * plane + i / taps % taps * row_cells + i % taps * cell_count;
    const int weights = o->piece_count * e.piece_cells * vectors * dn_lanes, inputs = o->frames * blocks * plane;
    uint32_t *weight_cells = guarded((size_t)weights * 4), *input = guarded((size_t)inputs * 4);
    for (int i = 0; i < weights; i++) weight_cells[i] = random_cell(kernels, format, true);
    for (int i = 0; i < inputs; i++) input[i] = random_cell(kernels, format, false);
    o->pieces = pieces;
    o->weights = weight_cells;
    o->input = input;
    o->sum_frame_stride = o->rows * o->width * dn_lanes;
    o->sum_stride = o->frames * o->sum_frame_stride + dn_lanes;
    o->sums = random_numbers((size_t)(vectors * o->sum_stride));
    o->scales = random_numbers((size_t)(vectors * dn_lanes));
    o->input_scales = random_numbers((size_t)o->frames);
    dn_convolve_image(kernels, format, o);
    compare(&e);
}

// The transforms of F(2 x 2, 3 x 3) and, of the points 0, 1/sqrt 2, -1/sqrt 2, sqrt 2, -sqrt 2 and infinity, of F(4 x 4, 3 x 3),
// as matrices: B^T of the inputs and A^T of the products.
#define NEAR 0.70710678118654752
#define FAR 1.41421356237309505
static const double inputs_2[6][6] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const double sums_2[4][6] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
static const double inputs_4[6][6] = {
    {1, 0, -2.5, 0, 1, 0},
    {0, -2 * NEAR, -2, NEAR, 1, 0},
    {0, 2 * NEAR, -2, -NEAR, 1, 0},
    {0, -0.5 * FAR, -0.5, FAR, 1, 0},
    {0, 0.5 * FAR, -0.5, -FAR, 1, 0},
    {0, 1, 0, -2.5, 0, 1},
};
static const double sums_4[4][6] = {
    {1, 1, 1, 1, 1, 0},
    {0, NEAR, -NEAR, FAR, -FAR, 0},
    {0, 0.5, 0.5, 2, 2, 0},
    {0, 0.5 * NEAR, -0.5 * NEAR, 2 * FAR, -2 * FAR, 1},
};

// An element of M x M^T, and the sum of the absolute values of what it is the sum of; `x` is square, [inputs][inputs].
static double transformed(const double (*m)[6], int inputs, const double *x, int row, int column, double *magnitude) {
    double sum = 0;
    *magnitude = 0;
    for (int y = 0; y < inputs; y++)
        for (int z = 0; z < inputs; z++) {
            const double term = m[row][y] * x[y * inputs + z] * m[column][z];
            sum += term;
            *magnitude += fabs(term);
        }
    return sum;
}

static void check_transform(const dn_kernels *kernels, int outputs) {
    const int inputs = outputs + 2, height = random_integer(2, 13), width = random_integer(2, 13);
    const int tile_rows = covering(height, outputs), columns = covering(width, outputs);
    const int64_t stride = (width + 2) * dn_lanes, products = tile_rows * columns * dn_lanes + dn_lanes;
    float *plane = guarded((size_t)((height + 2) * stride) * 4);
    float *first = plane + stride + dn_lanes;
    for (int y = 0; y < height; y++)
        for (int i = 0; i < width * dn_lanes; i++) first[y * stride + i] = random_number();
    float *tiles = guarded((size_t)(inputs * inputs * products) * 4);
    const dn_tile_input input = {
        .values = first,
        .value_stride = stride,
        .height = height,
        .width = width,
        .outputs = outputs,
        .tile_rows = tile_rows,
        .tile_columns = columns,
        .tiles = tiles,
        .product_stride = products,
    };
    dn_transform_tiles(kernels, &input);
    for (int tile = 0; tile < tile_rows * columns; tile++)
        for (int lane = 0; lane < dn_lanes; lane++) {
            double d[36] = {0};
            for (int i = 0; i < inputs * inputs; i++) {
                const int y = tile / columns * outputs + i / inputs - 1, x = tile % columns * outputs + i % inputs - 1;
                const bool exists = y >= 0 && y < height && x >= 0 && x < width;
                if (exists) d[i] = first[y * stride + x * dn_lanes + lane];
            }
            for (int i = 0; i < inputs * inputs; i++) {
                double magnitude;
                const double expected =
                    transformed(outputs == 2 ? inputs_2 : inputs_4, inputs, d, i / inputs, i % inputs, &magnitude);
                expect_near(tiles[i * products + tile * dn_lanes + lane], expected, float_bound * magnitude);
            }
        }
}

static void check_sums(const dn_kernels *kernels, int outputs) {
    const int inputs = outputs + 2, rows = random_integer(1, 13), width = random_integer(1, 13);
    const int columns = covering(width, outputs), tiles = covering(rows, outputs) * columns;
    const int64_t stride = tiles * dn_lanes + dn_lanes;
    float *products = random_numbers((size_t)(inputs * inputs * stride));
    float *sums = guarded((size_t)(rows * width * dn_lanes) * 4);
    const dn_tile_output output = {
        .products = products,
        .product_stride = stride,
        .sums = sums,
        .outputs = outputs,
        .rows = rows,
        .width = width,
    };
    dn_sum_tiles(kernels, &output);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < width; x++)
            for (int lane = 0; lane < dn_lanes; lane++) {
                const int tile = y / outputs * columns + x / outputs;
                double m[36], magnitude;
                for (int i = 0; i < inputs * inputs; i++) m[i] = products[i * stride + tile * dn_lanes + lane];
                const double expected =
                    transformed(outputs == 2 ? sums_2 : sums_4, inputs, m, y % outputs, x % outputs, &magnitude);
                expect_near(sums[(y * width + x) * dn_lanes + lane], expected, float_bound * magnitude);
            }
}

void test_image_convolutions(const dn_kernels *kernels) {
    static const char *const kinds[] = {"convolve_image f32", "convolve_image bf16", "convolve_image integers"};
    start_random(3);
    for (int format = dn_f32; format <= dn_integers; format++) {
        start_check(kernels->name, kinds[format]);
        for (int i = 0; i < 18; i++) {
            const int vectors = 1 << i % 3;
            check_convolution(kernels, (dn_format)format, false, vectors <= kernels->block_vectors ? vectors : 1);
            free_all();
        }
        finish_check();
    }
    start_check(kernels->name, "convolve_image rgb");
    for (int i = 0; i < 6; i++) {
        const int vectors = 1 << i % 3;
        check_convolution(kernels, dn_f32, true, vectors <= kernels->block_vectors ? vectors : 1);
        free_all();
    }
    finish_check();
    start_check(kernels->name, "transform_tiles, sum_tiles");
    for (int i = 0; i < 16; i++) {
        check_transform(kernels, i % 2 == 0 ? 2 : 4);
        check_sums(kernels, i % 2 == 0 ? 2 : 4);
        free_all();
    }
    finish_check();
}
