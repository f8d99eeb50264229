// `normalize`, `pack`, `read` and `multiply`.
#include <math.h>
#include <string.h>

#include "check.h"

// Of values of about 1, normalised: what the exponential and single precision lose.
static const double norm_bound = 4e-7;

static double mish(double x) { return x * tanh(x > 30 ? x : log1p(exp(x))); }

typedef struct {
    double mean;
    double deviation;
} moments;

// Of one group of one sample.
static moments group_moments(const dn_normalization *o, const float *values, int group) {
    const int64_t step = (int64_t)o->samples * o->value_stride;
    double sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int t = 0; t < o->times; t++)
            for (int c = group * o->group_width; c < (group + 1) * o->group_width; c++) {
                const double x = values[o->sample * o->value_stride + t * step + o->channel_first + c];
                if (pass == 0) sum += x / (o->times * o->group_width);
                else squares += (x - sum) * (x - sum) / (o->times * o->group_width);
            }
    return (moments){sum, sqrt(squares + 1e-5)};
}

static void check_normalization(const dn_kernels *kernels, bool has_film, bool has_residual) {
    const int widths[] = {4, 8, 16, 48};
    dn_normalization o = {.samples = random_integer(1, 3), .times = random_integer(1, 17)};
    o.sample = random_integer(0, o.samples - 1);
    o.group_width = widths[random_integer(0, 3)];
    o.channel_first = dn_lanes * random_integer(0, 2);
    o.channel_count = (o.group_width < dn_lanes ? dn_lanes : o.group_width) * random_integer(1, 3);
    const int all = covering(o.channel_first + o.channel_count, dn_lanes) * dn_lanes;
    o.value_stride = o.residual_stride = all;
    const size_t cells = (size_t)(o.times * o.samples * all);
    float *values = random_numbers(cells), *before = guarded(cells * 4);
    // Large and small, so that Mish is asked for everywhere.
    for (size_t i = 0; i < cells; i++) values[i] = values[i] * values[i] * values[i] + 0.2f;
    memcpy(before, values, cells * 4);
    float *gain = random_numbers((size_t)all);
    for (int i = 0; i < all; i++) gain[i] *= 12;
    o.values = values;
    o.gain = gain;
    o.bias = random_numbers((size_t)all);
    if (has_film) o.film_scale = random_numbers((size_t)all);
    if (has_film) o.film_shift = random_numbers((size_t)all);
    if (has_residual) o.residual = random_numbers(cells);
    o.scratch = guarded((size_t)(2 * covering(o.channel_count, dn_lanes) * dn_lanes) * 4);
    dn_normalize(kernels, &o);
    for (int c = 0; c < o.channel_count; c++) {
        const moments m = group_moments(&o, before, c / o.group_width);
        const int channel = o.channel_first + c;
        for (int t = 0; t < o.times; t++) {
            const int64_t cell = ((int64_t)t * o.samples + o.sample) * all + channel;
            const double scaled = (before[cell] - m.mean) / m.deviation * gain[channel];
            double y = mish(scaled + o.bias[channel]);
            if (has_film) y = y * o.film_scale[channel] + o.film_shift[channel];
            if (has_residual) y += o.residual[cell];
            expect_near(values[cell], y,
                        norm_bound * (1 + fabs(gain[channel]) * (fabs(m.mean) / m.deviation + 1) + fabs(scaled)));
        }
    }
}

static void check_packing(const dn_kernels *kernels, dn_format format, bool has_columns) {
    const int positions = random_integer(1, 50), channels = random_integer(1, 70);
    const int first = dn_lanes * random_integer(0, 1);
    const int stride = covering(positions, dn_lanes) * dn_lanes;
    const int64_t value_stride = first + covering(channels, dn_lanes) * dn_lanes;
    const int rows = format == dn_f32 ? channels : (channels + 1) / 2;
    float *values = random_numbers((size_t)(positions * value_stride));
    uint32_t *input = guarded((size_t)(rows * stride) * 4);
    int32_t *columns = guarded((size_t)positions * 4);
    // A permutation.
    for (int p = 0; p < positions; p++) columns[p] = (p + 3) % positions;
    const dn_packing packing = {
        .values = values,
        .value_stride = value_stride,
        .positions = positions,
        .channel_first = first,
        .channel_count = channels,
        .input = input,
        .row_stride = stride,
        .columns = has_columns ? columns : NULL,
    };
    dn_pack(kernels, format, &packing);
    for (int p = 0; p < positions; p++) {
        const float *value = values + p * value_stride + first;
        for (int row = 0; row < rows; row++) {
            uint32_t expected = cell_of(value[row]);
            if (format == dn_bf16)
                expected =
                    bf16_bits(value[2 * row]) | (2 * row + 1 < channels ? bf16_bits(value[2 * row + 1]) << 16 : 0);
            expect(input[row * stride + (has_columns ? columns[p] : p)] == expected, "the cell is the value");
        }
    }
}

static void check_rates(const dn_kernels *kernels) {
    const int count = 64 * 16 * 5 / 4;
    float *memory = random_numbers((size_t)count);
    double sum = 0;
    for (int i = 0; i < count; i++) sum += memory[i];
    expect_near(dn_read(kernels, memory, count * 4), sum, 1e-4);
    for (int format = dn_f32; format <= dn_integers; format++) {
        float sink = 1;
        const int products = format == dn_f32 ? 1 : format == dn_bf16 ? 2 : kernels->integer_channels;
        const int64_t done = dn_multiply(kernels, (dn_format)format, 3, &sink);
        // 64 rows, 6 positions, a multiplication and an addition.
        expect(done == 3 * 64 * 6 * 2 * dn_lanes * kernels->block_vectors * products, "operations are counted");
        expect(sink == 0, "products of zeros are zero");
    }
}

void test_activations(const dn_kernels *kernels) {
    start_random(2);
    start_check(kernels->name, "normalize");
    for (int i = 0; i < 24; i++) {
        check_normalization(kernels, i % 2 == 1, i % 3 == 1);
        free_all();
    }
    finish_check();
    start_check(kernels->name, "pack");
    for (int i = 0; i < 24; i++) {
        check_packing(kernels, i % 2 == 0 ? dn_f32 : dn_bf16, i % 3 == 0);
        free_all();
    }
    finish_check();
    start_check(kernels->name, "read, multiply");
    check_rates(kernels);
    finish_check();
}
