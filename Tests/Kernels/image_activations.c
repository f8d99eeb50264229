// What works on the outputs of image convolutions: moments, `write_image`, pooling, integers, keypoints.
#include <math.h>

#include "check.h"

static void check_moments(const dn_kernels *kernels) {
    const int positions = random_integer(1, 300), count = positions * dn_lanes;
    float *values = random_numbers((size_t)count);
    double mean = 0, variance = 0;
    for (int i = 0; i < count; i++) mean += (values[i] += 3);
    mean /= count;
    for (int i = 0; i < count; i++) variance += (values[i] - mean) * (values[i] - mean) / count;
    float found_mean, found_variance;
    dn_image_moments(kernels, values, positions, &found_mean, &found_variance);
    expect_near(found_mean, mean, 2e-6);
    expect_near(found_variance, variance, 2e-6);
}

// Planes with a border around them: where the first position lies, and floats or cells from a row to the next.
typedef struct {
    float *values;
    uint32_t *pairs;
    int64_t value_stride, pair_stride;
} planes;

static planes make_planes(int rows, int width) {
    planes p = {.value_stride = (width + 2) * dn_lanes, .pair_stride = (width + 2) * dn_lanes / 2};
    p.values = random_numbers((size_t)(rows * p.value_stride)) + dn_lanes;
    p.pairs = (uint32_t *)guarded((size_t)(rows * p.pair_stride) * 4) + dn_lanes / 2;
    for (int i = 0; i < rows * p.pair_stride; i++) p.pairs[i - dn_lanes / 2] = 0x3f803f80;
    return p;
}

static uint32_t pair_at(const planes *p, int row, int x, int lane) {
    const uint32_t cell = p->pairs[row * p->pair_stride + x * dn_lanes / 2 + lane / 2];
    return cell >> 16 * (lane % 2) & 0xffff;
}

static void check_writing(const dn_kernels *kernels, bool has_residual, bool rectifies) {
    const int rows = random_integer(1, 5), width = random_integer(1, 9);
    const planes p = make_planes(rows, width);
    const int64_t residual_stride = (width + 1) * dn_lanes;
    float *sums = random_numbers((size_t)(rows * width * dn_lanes)), *scale = random_numbers(dn_lanes);
    float *shift = random_numbers(dn_lanes), *residual = random_numbers((size_t)(rows * residual_stride));
    float largest = 0.125f;
    double expected_largest = largest;
    const dn_image_output output = {
        .sums = sums,
        .scale = scale,
        .shift = shift,
        .residual = has_residual ? residual : NULL,
        .residual_stride = residual_stride,
        .rectifies = rectifies,
        .values = p.values,
        .value_stride = p.value_stride,
        .pairs = p.pairs,
        .pair_stride = p.pair_stride,
        .largest = &largest,
        .width = width,
        .rows = rows,
    };
    dn_write_image(kernels, &output);
    for (int y = 0; y < rows; y++)
        for (int lane = 0; lane < dn_lanes; lane++) {
            for (int x = 0; x < width; x++) {
                const float found = p.values[y * p.value_stride + x * dn_lanes + lane];
                double value = (double)sums[(y * width + x) * dn_lanes + lane] * scale[lane] + shift[lane];
                if (has_residual) value += residual[y * residual_stride + x * dn_lanes + lane];
                if (rectifies && value < 0) value = 0;
                expected_largest = fmax(expected_largest, value);
                expect_near(found, value, 1e-6);
                expect(pair_at(&p, y, x, lane) == bf16_bits(found), "pairs are the values, rounded");
            }
            for (int x = -1; x <= width; x += width + 1)
                expect(p.values[y * p.value_stride + x * dn_lanes + lane] == 0 && pair_at(&p, y, x, lane) == 0,
                       "the border is zero");
        }
    expect_near(largest, expected_largest, 1e-6);
}

static void check_not_a_number(const dn_kernels *kernels) {
    float *sums = random_numbers(2 * dn_lanes), *scale = random_numbers(dn_lanes), *shift = random_numbers(dn_lanes);
    const planes p = make_planes(1, 2);
    float largest = 0;
    sums[dn_lanes + 5] = NAN;
    const dn_image_output output = {
        .sums = sums,
        .scale = scale,
        .shift = shift,
        .rectifies = true,
        .values = p.values,
        .value_stride = p.value_stride,
        .largest = &largest,
        .width = 2,
        .rows = 1,
    };
    dn_write_image(kernels, &output);
    expect(isnan(largest), "what is not a number is the largest");
    for (int i = 0; i < 2 * dn_lanes; i++)
        expect(isnan(p.values[i]) == (i == dn_lanes + 5), "what is not a number, and nothing else, stays so");
}

static void check_pooling(const dn_kernels *kernels) {
    const int rows = random_integer(1, 5), width = random_integer(1, 9);
    const int64_t stride = (2 * width + 1) * dn_lanes;
    float *values = random_numbers((size_t)((2 * rows + 1) * stride));
    float *sums = guarded((size_t)(rows * width * dn_lanes) * 4);
    const dn_image_pooling pooling = {
        .values = values, .value_stride = stride, .sums = sums, .width = width, .rows = rows};
    dn_pool_image(kernels, &pooling);
    for (int i = 0; i < rows * width * dn_lanes; i++) {
        const int y = i / dn_lanes / width, x = i / dn_lanes % width;
        float most = -2;
        for (int tap = 0; tap < 9; tap++)
            most = fmaxf(most, values[(2 * y + tap / 3) * stride + (2 * x + tap % 3) * dn_lanes + i % dn_lanes]);
        expect(sums[i] == most, "the sum is the largest of 9");
    }
}

static void check_integers(const dn_kernels *kernels) {
    const int rows = random_integer(1, 5), width = random_integer(1, 9), channels = kernels->image_channels;
    const int block = dn_lanes / channels;
    const int64_t stride = (width + 1) * dn_lanes, cell_stride = (width + 2) * block;
    float *values = random_numbers((size_t)(rows * stride)), largest = 0;
    for (int i = 0; i < rows * stride; i++) {
        values[i] = fabsf(values[i]) * 7;
        if (i % stride < width * dn_lanes) largest = fmaxf(largest, values[i]);
    }
    uint32_t *cells = (uint32_t *)guarded((size_t)(rows * cell_stride) * 4) + block;
    for (int i = 0; i < rows * cell_stride; i++) cells[i - block] = UINT32_MAX;
    const float scale = dn_image_scale(kernels, largest);
    const dn_image_quantization quantization = {
        .values = values,
        .value_stride = stride,
        .cells = cells,
        .cell_stride = cell_stride,
        .scale = scale,
        .width = width,
        .rows = rows,
    };
    dn_quantize_image(kernels, &quantization);
    for (int y = 0; y < rows; y++)
        for (int x = -1; x <= width; x++)
            for (int lane = 0; lane < dn_lanes; lane++) {
                const uint32_t cell = cells[y * cell_stride + x * block + lane / channels];
                uint32_t integer = channels == 2 ? cell >> 16 * (lane % 2) & 0xffff : cell >> 8 * (lane % 4) & 0xff;
                if (kernels->bytes_have_sign) integer ^= 0x80;
                const bool is_inside = x >= 0 && x < width;
                const double value = is_inside ? values[y * stride + x * dn_lanes + lane] : 0;
                expect_near((double)integer * scale, value, is_inside ? 0.501 * scale : 0);
            }
    expect(dn_image_scale(kernels, 0) == 1, "where all is zero the scale is 1");
    expect(!isfinite(dn_image_scale(kernels, INFINITY)) && isnan(dn_image_scale(kernels, NAN)),
           "what is not finite makes the scale so");
}

static void check_keypoints(const dn_kernels *kernels) {
    const int positions = random_integer(1, 120);
    float *logits = random_numbers((size_t)(positions * dn_lanes)), *grid = random_numbers((size_t)positions * 2);
    float *x = guarded(dn_lanes * 4), *y = guarded(dn_lanes * 4);
    for (int i = 0; i < positions * dn_lanes; i++) logits[i] *= 12;
    const dn_keypoints keypoints = {.logits = logits, .grid = grid, .positions = positions, .x = x, .y = y};
    dn_locate_keypoints(kernels, &keypoints);
    for (int lane = 0; lane < dn_lanes; lane++) {
        double sum = 0, expected_x = 0, expected_y = 0;
        for (int p = 0; p < positions; p++) {
            const double weight = exp(logits[p * dn_lanes + lane]);
            sum += weight;
            expected_x += weight * grid[2 * p];
            expected_y += weight * grid[2 * p + 1];
        }
        expect_near(x[lane], expected_x / sum, 2e-6);
        expect_near(y[lane], expected_y / sum, 2e-6);
    }
}

void test_image_activations(const dn_kernels *kernels) {
    static void (*const checks[])(const dn_kernels *) = {check_moments, check_pooling, check_integers, check_keypoints};
    static const char *const kinds[] = {"image_moments", "pool_image", "image_scale, quantize_image",
                                        "locate_keypoints"};
    start_random(4);
    for (int kind = 0; kind < 4; kind++) {
        start_check(kernels->name, kinds[kind]);
        for (int i = 0; i < 16; i++) {
            checks[kind](kernels);
            free_all();
        }
        finish_check();
    }
    start_check(kernels->name, "write_image");
    for (int i = 0; i < 16; i++) {
        check_writing(kernels, i % 2 == 1, i % 4 > 1);
        free_all();
    }
    check_not_a_number(kernels);
    finish_check();
}
