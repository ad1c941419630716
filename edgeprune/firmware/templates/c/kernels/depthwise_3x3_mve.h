/* The same for windows of 3x3 and channels first to last of a pixel: taps come one after the other, without a loop. */
#if defined(__ARM_FEATURE_MVE)
EDGEPRUNE_INLINE void add_tap_8(const int8_t *pixel, const int8_t *weight, int32x4_t *even, int32x4_t *odd)
{
    const int16x8_t x = vldrbq_s16(pixel);
    const int16x8_t w = vldrbq_s16(weight);
    *even = vaddq_s32(*even, vmullbq_int_s16(x, w));
    *odd = vaddq_s32(*odd, vmulltq_int_s16(x, w));
    __asm__("" : "+w"(*even), "+w"(*odd)); /* One tap after the other: there are but eight vectors. */
}
#endif

static void depthwise_3x3_mve(const int8_t *rows, int32_t row_bytes, const int8_t *weights, const int32_t *records,
                              int8_t *output, int32_t channels, int32_t low, int32_t high, int32_t first_channel,
                              int32_t last_channel, enum edgeprune_form form)
{
    for (int32_t channel = first_channel; channel < last_channel; channel += 8) {
#if defined(__ARM_FEATURE_MVE)
        const int8_t *x = &rows[channel];
        const int8_t *w = &weights[channel];
        int32x4_t even = vdupq_n_s32(0);
        int32x4_t odd = vdupq_n_s32(0);
        add_tap_8(x, w, &even, &odd);
        add_tap_8(&x[channels], &w[channels], &even, &odd);
        add_tap_8(&x[2 * channels], &w[2 * channels], &even, &odd);
        x += row_bytes;
        w += 3 * channels;
        add_tap_8(x, w, &even, &odd);
        add_tap_8(&x[channels], &w[channels], &even, &odd);
        add_tap_8(&x[2 * channels], &w[2 * channels], &even, &odd);
        x += row_bytes;
        w += 3 * channels;
        add_tap_8(x, w, &even, &odd);
        add_tap_8(&x[channels], &w[channels], &even, &odd);
        add_tap_8(&x[2 * channels], &w[2 * channels], &even, &odd);
        const int32x4_t first = requantize_four(even, &records[4 * channel], low, high, form);
        const int32x4_t second = requantize_four(odd, &records[4 * channel + 16], low, high, form);
        vstrbq_s16(&output[channel - first_channel], vmovntq_s32(vmovnbq_s32(vdupq_n_s16(0), first), second));
#else
        depthwise_8_mve(&rows[channel], row_bytes, &weights[channel], &records[4 * channel],
                        &output[channel - first_channel], 3, 3, channels, low, high, form);
#endif
    }
}
