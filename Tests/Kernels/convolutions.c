// `convolve` in all formats, and `quantize`.
#include <math.h>
#include <stdlib.h>

#include "check.h"

// Of a sum's magnitude, the sum of the absolute values of what is summed up. Products are exact in double precision.
static const double float_bound = 6e-7;

enum { most_taps = 3 };

// A convolution over `rows` rows of cells, with taps that start outputs, add to them, and reach only some.
typedef struct {
    const dn_kernels *kernels;
    dn_format format;
    dn_convolution convolution;
    dn_tap taps[most_taps];
    int positions;
    int channels;       // of the output
    int cell_channels;  // of the input
    int scale_rows;
    uint32_t *weights, *input;
    float *scales, *input_scales, *input_offsets, *weight_sums;
} example;

static int8_t *weight_at(const example *e, int tap, int row, int channel, int i) {
    const size_t cell =
        ((size_t)tap * (size_t)e->convolution.rows + (size_t)row) * (size_t)e->channels + (size_t)channel;
    return (int8_t *)e->weights + cell * (size_t)e->cell_channels + i;
}

static int integer_of(const example *e, uint32_t cell, int i) {
    if (e->cell_channels == 2) return (int16_t)(cell >> 16 * i);
    return e->kernels->bytes_have_sign ? (int8_t)(cell >> 8 * i) : (uint8_t)(cell >> 8 * i);
}

// Makes weights smaller until no group's add up to more than they may. In every other output channel the first group's then add
// up to just that: all have one sign.
static void limit_groups(example *e) {
    const int rows = e->convolution.rows;
    for (int t = 0; t < e->convolution.tap_count; t++)
        for (int c = 0; c < e->channels; c++)
            for (int first = 0; first < rows; first += dn_group_rows)
                for (int half = 0; half < 2; half++) {
                    int sums[2] = {0};
                    const int end = first + dn_group_rows < rows ? first + dn_group_rows : rows;
                    for (int k = first; k < end; k++)
                        for (int i = 2 * half; i < 2 * half + 2; i++) {
                            int8_t *w = weight_at(e, t, k, c, i);
                            if (first == 0 && c % 2 == 0) *w = (int8_t)(c % 4 == 0 ? 127 : -127);
                            int *sum = &sums[*w < 0];
                            const int most = dn_group_weights - *sum;
                            if (abs(*w) > most) *w = (int8_t)(*w < 0 ? -most : most);
                            *sum += abs(*w);
                        }
                }
}

static void fill_integers(example *e) {
    const int rows = e->convolution.rows, stride = (int)e->convolution.row_stride;
    const int scaled_rows = dn_scaled_channels / e->cell_channels;
    e->scale_rows = covering(rows, scaled_rows);
    const int weight_bytes = e->convolution.tap_count * rows * e->channels * e->cell_channels;
    e->weights = guarded((size_t)weight_bytes);
    for (int i = 0; i < weight_bytes; i++) ((int8_t *)e->weights)[i] = (int8_t)random_integer(-127, 127);
    if (e->kernels->has_groups) limit_groups(e);
    // Integers of 7 bits leave the highest one zero.
    const uint32_t bits = e->kernels->largest_input == 127 ? 0x7f7f7f7f : 0xffffffff;
    e->input = guarded((size_t)(rows * stride) * 4);
    for (int i = 0; i < rows * stride; i++) e->input[i] = (uint32_t)random_integer(INT32_MIN, INT32_MAX) & bits;
    // The largest ones, which meet groups of the largest weights.
    for (int k = 0; k < rows && k < dn_group_rows; k++)
        for (int p = 0; p < stride; p += 3) e->input[k * stride + p] = bits;
    e->scales = random_numbers((size_t)e->channels);
    e->input_scales = random_numbers((size_t)(e->scale_rows * stride));
    e->input_offsets = random_numbers((size_t)(e->scale_rows * stride));
    e->weight_sums = guarded((size_t)(e->convolution.tap_count * e->scale_rows * e->channels) * 4);
    for (int t = 0; t < e->convolution.tap_count; t++)
        for (int k = 0; k < rows; k++)
            for (int c = 0; c < e->channels; c++)
                for (int i = 0; i < e->cell_channels; i++)
                    e->weight_sums[(t * e->scale_rows + k / scaled_rows) * e->channels + c] +=
                        (float)*weight_at(e, t, k, c, i) * e->scales[c];
}

static void fill_floats(example *e) {
    const int cells = e->convolution.tap_count * e->convolution.rows * e->channels;
    const int inputs = e->convolution.rows * (int)e->convolution.row_stride;
    e->weights = guarded((size_t)cells * 4);
    e->input = guarded((size_t)inputs * 4);
    for (int i = 0; i < cells + inputs; i++) {
        uint32_t *cell = i < cells ? e->weights + i : e->input + i - cells;
        *cell = e->format == dn_f32 ? cell_of(random_number())
                                    : bf16_bits(random_number()) | bf16_bits(random_number()) << 16;
    }
}

static example make_example(const dn_kernels *kernels, dn_format format, int rows, int vectors, int positions) {
    example e = {.kernels = kernels, .format = format, .positions = positions, .channels = vectors * dn_lanes};
    e.cell_channels = format == dn_f32 ? 1 : format == dn_bf16 ? 2 : kernels->integer_channels;
    const int late = positions / 2, early = positions - late;
    e.taps[0] = (dn_tap){.output_first = 0, .count = positions, .input_first = 1, .starts = true};
    e.taps[1] = (dn_tap){.output_first = 1, .count = positions - 1, .input_first = 0};
    e.taps[2] = (dn_tap){.output_first = late, .count = early, .input_first = 2};
    e.convolution.tap_count = positions > 1 ? most_taps : 1;
    e.convolution.rows = rows;
    e.convolution.vectors = vectors;
    e.convolution.row_stride = covering(positions + 2, dn_lanes) * dn_lanes;
    e.convolution.output_stride = (vectors + 1) * dn_lanes;
    if (format == dn_integers) fill_integers(&e);
    else fill_floats(&e);
    return e;
}

typedef struct {
    double value;
    double magnitude;
} sum;

static void add(sum *s, double product) {
    s->value += product;
    s->magnitude += fabs(product);
}

// The products of a tap's rows at a position.
static void add_tap(const example *e, int tap, int position, int channel, sum *s) {
    const int stride = (int)e->convolution.row_stride;
    const int scaled_rows = dn_scaled_channels / e->cell_channels;
    for (int k = 0; k < e->convolution.rows; k++) {
        const uint32_t x = e->input[k * stride + position];
        const uint32_t w =
            e->format == dn_integers ? 0 : e->weights[(tap * e->convolution.rows + k) * e->channels + channel];
        if (e->format == dn_f32) {
            add(s, (double)cell_value(w) * cell_value(x));
        } else if (e->format == dn_bf16) {
            for (int i = 0; i < 2; i++) add(s, bf16_value(w >> 16 * i & 0xffff) * bf16_value(x >> 16 * i & 0xffff));
        } else {
            const int scaled = k / scaled_rows * stride + position;
            for (int i = 0; i < e->cell_channels; i++) {
                const double offset = e->cell_channels == 4 ? e->input_offsets[scaled] : 0;
                const double weight = *weight_at(e, tap, k, channel, i) * (double)e->scales[channel];
                add(s, weight * offset);
                add(s, weight * e->input_scales[scaled] * integer_of(e, x, i));
            }
        }
    }
}

static void check_example(example *e) {
    dn_convolution *o = &e->convolution;
    float *output = random_numbers((size_t)e->positions * (size_t)o->output_stride);
    float *bias = random_numbers((size_t)e->channels);
    float *const beyond = output + e->channels;
    const float untouched = *beyond;
    o->weights = e->weights;
    o->input = e->input;
    o->output = output;
    o->bias = bias;
    o->scales = e->scales;
    o->input_scales = e->input_scales;
    o->input_offsets = e->input_offsets;
    o->weight_sums = e->weight_sums;
    o->taps = e->taps;
    dn_convolve(e->kernels, e->format, o);
    expect(*beyond == untouched, "channels beyond the block are left alone");
    for (int p = 0; p < e->positions; p++) {
        for (int c = 0; c < e->channels; c++) {
            sum s = {bias[c], fabs(bias[c])};
            for (int t = 0; t < o->tap_count; t++) {
                const int i = p - e->taps[t].output_first;
                if (i >= 0 && i < e->taps[t].count) add_tap(e, t, e->taps[t].input_first + i, c, &s);
            }
            expect_near(output[p * o->output_stride + c], s.value, float_bound * s.magnitude);
        }
    }
}

static void check_shapes(const dn_kernels *kernels, dn_format format, const char *kind) {
    start_check(kernels->name, kind);
    for (int i = 0; i < 48; i++) {
        // Rows that fill no scale, one, and several.
        const int rows = i % 8 == 7 ? random_integer(257, 530) : random_integer(1, 150);
        const int vectors = random_integer(1, kernels->block_vectors);
        example e = make_example(kernels, format, rows, vectors, i < 14 ? i + 1 : random_integer(1, 40));
        check_example(&e);
        free_all();
    }
    finish_check();
}

// Infinities and NaNs reach every output that they contribute to, and no other.
static void check_not_finite(const dn_kernels *kernels) {
    start_check(kernels->name, "convolve what is not finite");
    for (int format = dn_f32; format <= dn_bf16; format++) {
        example e = make_example(kernels, (dn_format)format, 9, 1, 8);
        e.convolution.tap_count = 1;
        e.input[4 * e.convolution.row_stride + 4] = format == dn_f32 ? 0x7f800000u : 0x7f807f80u;
        e.input[5 * e.convolution.row_stride + 6] = format == dn_f32 ? 0x7fc00000u : 0x7fc07fc0u;
        float *output = guarded(8 * (size_t)e.convolution.output_stride * 4);
        e.convolution.weights = e.weights;
        e.convolution.input = e.input;
        e.convolution.output = output;
        e.convolution.bias = random_numbers((size_t)e.channels);
        e.convolution.taps = e.taps;
        dn_convolve(kernels, (dn_format)format, &e.convolution);
        for (int p = 0; p < 8; p++)
            for (int c = 0; c < e.channels; c++)
                expect(isfinite(output[p * e.convolution.output_stride + c]) == (p != 3 && p != 5),
                       "exactly what an infinity or NaN contributes to is not finite");
    }
    finish_check();
}

static void check_quantization(const dn_kernels *kernels, int rows, int positions) {
    const int stride = covering(positions, dn_lanes) * dn_lanes, channels = kernels->integer_channels;
    const int scale_rows = covering(2 * rows, dn_scaled_channels);
    uint32_t *input = guarded((size_t)(rows * stride) * 4), *integers = guarded((size_t)(rows * stride) * 4);
    for (int i = 0; i < rows * stride; i++)
        input[i] = bf16_bits(random_number() * (float)(1 << i % stride % 8)) | bf16_bits(random_number()) << 16;
    const int odd_position = random_integer(0, positions - 1);
    input[odd_position] = 0x7f80;
    float *scales = guarded((size_t)(scale_rows * stride) * 4), *offsets = guarded((size_t)(scale_rows * stride) * 4);
    const dn_quantization quantization = {
        .input = input,
        .integers = integers,
        .scales = scales,
        .offsets = offsets,
        .rows = rows,
        .positions = positions,
        .row_stride = stride,
    };
    dn_quantize(kernels, &quantization);
    const example e = {.kernels = kernels, .cell_channels = channels};
    for (int p = 0; p < positions; p++) {
        expect(isfinite(scales[p]) == (p != odd_position),
               "the scale of what is not finite, and no other, is not finite");
        for (int channel = 0; channel < 2 * rows; channel++) {
            const int scaled = channel / dn_scaled_channels * stride + p;
            if (!isfinite(scales[scaled])) continue;
            const int integer = integer_of(&e, integers[channel / channels * stride + p], channel % channels);
            const double offset = channels == 4 ? offsets[scaled] : 0;
            const double value = bf16_value(input[channel / 2 * stride + p] >> 16 * (channel % 2) & 0xffff);
            // Half a unit, and what rounding of the scale and the offset loses.
            expect_near(offset + (double)scales[scaled] * integer, value, 0.501 * scales[scaled]);
        }
    }
}

void test_convolutions(const dn_kernels *kernels) {
    start_random(1);
    check_shapes(kernels, dn_f32, "convolve f32");
    check_shapes(kernels, dn_bf16, "convolve bf16");
    check_shapes(kernels, dn_integers, "convolve integers");
    check_not_finite(kernels);
    start_check(kernels->name, "quantize");
    for (int i = 0; i < 12; i++) {
        check_quantization(kernels, random_integer(1, 600), random_integer(1, 40));
        free_all();
    }
    finish_check();
}
