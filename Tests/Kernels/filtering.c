// `filter_inputs` and `filter_outputs`: each by itself, and both as a convolution in time.
#include <math.h>

#include "check.h"

// Of a sum's magnitude, the sum of the absolute values of what is summed up.
static const double float_bound = 6e-7;

enum { most_points = 8, infinity = 1 };

// The points in the order of the kernels: 0, infinity, which has no number, and then a number with either sign.
typedef struct {
    int taps;
    int count;
    double x[most_points];
} points;

static points points_of(int taps) {
    const double five[] = {0.5, 1, 2}, three[] = {sqrt(0.5), sqrt(2)};
    points p = {.taps = taps, .count = taps + dn_filter_outputs - 1};
    for (int i = 2; i < p.count; i++) p.x[i] = (i % 2 == 0 ? 1 : -1) * (taps == 5 ? five : three)[i / 2 - 1];
    return p;
}

// What each input of a tile counts at a point: the coefficients of the product of x - x_j for all other points.
static void input_factors(const points *p, int point, double *factors) {
    for (int k = 0; k < most_points; k++) factors[k] = k == 0;
    for (int j = 0; j < p->count; j++) {
        if (j == point || j == infinity) continue;
        for (int k = most_points - 1; k > 0; k--) factors[k] = factors[k - 1] - p->x[j] * factors[k];
        factors[0] *= -p->x[j];
    }
    // Zero but for what the points lose by rounding.
    for (int k = 0; k < most_points; k++)
        if (fabs(factors[k]) < 1e-12) factors[k] = 0;
}

// What the product at a point counts in an output of a tile.
static double output_factor(const points *p, int point, int output) {
    if (point == infinity) return output == dn_filter_outputs - 1;
    double factor = pow(p->x[point], output);
    for (int j = 0; j < p->count; j++)
        if (j != point && j != infinity) factor /= p->x[point] - p->x[j];
    return factor;
}

// The value of a filter at a point.
static double weight_at(const points *p, int point, const float *filter) {
    if (point == infinity) return filter[p->taps - 1];
    double sum = 0;
    for (int t = 0; t < p->taps; t++) sum += filter[t] * pow(p->x[point], t);
    return sum;
}

// Inputs, filters and outputs: output channel c convolves input channel channel_first + c.
typedef struct {
    points points;
    int times, tiles, samples, columns;
    dn_filter_input input;
    dn_filter_output output;
    float *filters;  // [channel_count][taps]
} example;

static double value_of(const example *e, int time, int sample, int channel) {
    if (time < 0 || time >= e->times) return 0;
    const dn_filter_input *o = &e->input;
    const int position = time * e->samples + sample;
    return o->values[(o->positions ? o->positions[position] : position) * o->value_stride + o->channel_first + channel];
}

static void compare_inputs(const example *e) {
    const dn_filter_input *o = &e->input;
    for (int point = 0; point < e->points.count; point++) {
        double factors[most_points];
        input_factors(&e->points, point, factors);
        for (int c = 0; c < o->channel_count; c++)
            for (int column = 0; column < e->columns; column++) {
                const int first = column / e->samples * dn_filter_outputs - o->taps / 2;
                double sum = 0, magnitude = 0;
                for (int j = 0; j < e->points.count; j++) {
                    const double term = factors[j] * value_of(e, first + j, column % e->samples, c);
                    sum += term;
                    magnitude += fabs(term);
                }
                expect_near(cell_value(o->input[c * o->row_stride + point * e->columns + column]), sum,
                            float_bound * magnitude);
            }
    }
}

// Multiplies the inputs at the points by those of the filters. Channels without inputs keep their numbers.
static void multiply(example *e, float *products) {
    const dn_filter_input *o = &e->input;
    for (int c = 0; c < o->channel_count; c++)
        for (int point = 0; point < e->points.count; point++) {
            const double weight = weight_at(&e->points, point, e->filters + c * o->taps);
            for (int column = 0; column < e->columns; column++) {
                const int cell = point * e->columns + column;
                const double value = cell_value(o->input[c * o->row_stride + cell]);
                products[cell * e->output.stride + c] = (float)(weight * value);
            }
        }
}

static void compare_outputs(const example *e, const float *before) {
    const dn_filter_output *o = &e->output;
    for (int i = 0; i < e->times * e->samples; i++)
        for (int c = 0; c < o->stride; c++) {
            const int time = i / e->samples, sample = i % e->samples;
            const int column = time / dn_filter_outputs * e->samples + sample;
            const float found = o->output[i * o->stride + c];
            if (c >= o->channel_count) {
                expect(found == before[i * o->stride + c], "channels of other blocks stay as they are");
                continue;
            }
            double interpolated = o->bias[c], convolved = o->bias[c], magnitude = fabs(o->bias[c]);
            for (int point = 0; point < e->points.count; point++) {
                const double product = o->products[(point * e->columns + column) * o->stride + c];
                const double term = output_factor(&e->points, point, time % dn_filter_outputs) * product;
                interpolated += term;
                magnitude += fabs(term);
            }
            expect_near(found, interpolated, float_bound * magnitude);
            if (c >= e->input.channel_count) continue;
            for (int t = 0; t < o->taps; t++)
                convolved += (double)e->filters[c * o->taps + t] * value_of(e, time + t - o->taps / 2, sample, c);
            // Inputs at the points were rounded too.
            expect_near(found, convolved, 10 * float_bound * (magnitude + 1));
        }
}

static void check_filter(const dn_kernels *kernels, int taps, int channels, int times, int samples,
                         bool has_positions) {
    example e = {.points = points_of(taps), .times = times, .samples = samples};
    e.tiles = covering(times, dn_filter_outputs);
    e.columns = e.tiles * samples;
    const int first = dn_lanes * random_integer(0, 2), padded = covering(channels, dn_lanes) * dn_lanes;
    const int row = e.points.count * e.columns, row_stride = row + random_integer(0, 20);
    const int value_stride = first + padded + dn_lanes * random_integer(0, 1);
    int32_t *positions = guarded((size_t)(times * samples) * 4);
    for (int i = 0; i < times * samples; i++) positions[i] = i;
    for (int i = times * samples - 1; i > 0; i--) {
        const int other = random_integer(0, i), position = positions[i];
        positions[i] = positions[other];
        positions[other] = position;
    }
    e.input = (dn_filter_input){
        .values = random_numbers((size_t)(times * samples * value_stride)),
        .value_stride = value_stride,
        .positions = has_positions ? positions : NULL,
        .taps = taps,
        .times = times,
        .tiles = e.tiles,
        .samples = samples,
        .channel_first = first,
        .channel_count = channels,
        .input = guarded((size_t)((channels - 1) * row_stride + row) * 4),
        .row_stride = row_stride,
    };
    dn_filter_inputs(kernels, &e.input);
    compare_inputs(&e);

    const int stride = padded + dn_lanes * random_integer(0, 1);
    float *products = random_numbers((size_t)(row * stride));
    e.filters = random_numbers((size_t)(channels * taps));
    e.output = (dn_filter_output){
        .products = products,
        .output = random_numbers((size_t)(times * samples * stride)),
        .bias = random_numbers((size_t)padded),
        .stride = stride,
        .taps = taps,
        .times = times,
        .tiles = e.tiles,
        .samples = samples,
        .channel_count = padded,
    };
    float *before = guarded((size_t)(times * samples * stride) * 4);
    for (int i = 0; i < times * samples * stride; i++) before[i] = e.output.output[i];
    multiply(&e, products);
    dn_interpolate_outputs(kernels, &e.output);
    compare_outputs(&e, before);
    free_all();
}

void test_filtering(const dn_kernels *kernels) {
    start_random(5);
    for (int taps = 3; taps <= 5; taps += 2) {
        start_check(kernels->name,
                    taps == 3 ? "filter_inputs, filter_outputs of 3" : "filter_inputs, filter_outputs of 5");
        // Every part of a block of channels, and of a tile of times.
        for (int channels = 1; channels <= 2 * dn_lanes + 1; channels++)
            check_filter(kernels, taps, channels, random_integer(1, 21), random_integer(1, 5), channels % 2 == 0);
        for (int times = 1; times <= 17; times++)
            check_filter(kernels, taps, random_integer(1, 40), times, random_integer(1, 5), times % 2 == 0);
        finish_check();
    }
}
