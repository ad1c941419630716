/* All output channels of two pixels, four at a time; `count` is a multiple of 4. Of each run of 16 inputs
 * `weights` holds those of four channels, one after the other. */
EDGEPRUNE_INLINE void convolve_two(const int8_t *weights, const int8_t *patches, int32_t runs,
                                   const int32_t *records, int32_t count, int8_t *output, int8_t *next_output,
                                   int32_t low, int32_t high, bool is_odd)
{
    for (int32_t channel = 0; channel < count; channel += 4) {
        const int8_t *pixel = patches;
        const int8_t *next = &patches[16 * runs];
#if defined(__ARM_FEATURE_MVE)
        int32_t a = 0, b = 0, c = 0, d = 0;
        int32_t next_a = 0, next_b = 0, next_c = 0, next_d = 0;
        for (int32_t run = 0; run < runs; ++run) {
            const int8x16_t x = vldrbq_s8(pixel);
            const int8x16_t y = vldrbq_s8(next);
            const int8x16_t first = load_run(&weights);
            a = vmladavaq_s8(a, first, x);
            next_a = vmladavaq_s8(next_a, first, y);
            const int8x16_t second = load_run(&weights);
            b = vmladavaq_s8(b, second, x);
            next_b = vmladavaq_s8(next_b, second, y);
            const int8x16_t third = load_run(&weights);
            c = vmladavaq_s8(c, third, x);
            next_c = vmladavaq_s8(next_c, third, y);
            const int8x16_t fourth = load_run(&weights);
            d = vmladavaq_s8(d, fourth, x);
            next_d = vmladavaq_s8(next_d, fourth, y);
            pixel += 16;
            next += 16;
        }
        const int32x4_t sums = pack_sums(a, b, c, d);
        vstrbq_s32(&output[channel], requantize_four(sums, &records[4 * channel], low, high, is_odd));
        const int32x4_t next_sums = pack_sums(next_a, next_b, next_c, next_d);
        vstrbq_s32(&next_output[channel], requantize_four(next_sums, &records[4 * channel], low, high, is_odd));
#else
        int32_t sums[4] = {0, 0, 0, 0};
        int32_t next_sums[4] = {0, 0, 0, 0};
        for (int32_t i = 0; i < 64 * runs; ++i) {
            const int32_t place = i / 64 * 16 + i % 16;
            sums[i / 16 % 4] += weights[i] * pixel[place];
            next_sums[i / 16 % 4] += weights[i] * next[place];
        }
        weights += 64 * runs;
        put_four_sums(sums, &records[4 * channel], &output[channel], low, high, is_odd);
        put_four_sums(next_sums, &records[4 * channel], &next_output[channel], low, high, is_odd);
#endif
    }
}

EDGEPRUNE_APART void convolve_two_mve(const int8_t *weights, const int8_t *patches, int32_t runs, const int32_t *records,
                             int32_t count, int8_t *output, int8_t *next_output, int32_t low, int32_t high)
{
    convolve_two(weights, patches, runs, records, count, output, next_output, low, high, false);
}
