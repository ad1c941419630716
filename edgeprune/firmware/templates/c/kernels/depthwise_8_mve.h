/* Eight channels of one pixel; `rows` is the window's first input. Records come in the order in which Helium
 * multiplies 16-bit lanes: channels 0, 2, 4, 6, then 1, 3, 5, 7. */
EDGEPRUNE_INLINE void depthwise_8_mve(const int8_t *rows, int32_t row_bytes, const int8_t *weights,
                                      const int32_t *records, int8_t *output, int32_t kernel_h, int32_t kernel_w,
                                      int32_t channels, int32_t low, int32_t high, enum edgeprune_form form)
{
#if defined(__ARM_FEATURE_MVE)
    int32x4_t even = vdupq_n_s32(0);
    int32x4_t odd = vdupq_n_s32(0);
    for (int32_t i = 0; i < kernel_h; ++i) {
        const int8_t *x = &rows[i * row_bytes];
        for (int32_t j = 0; j < kernel_w; ++j) {
            const int16x8_t pixel = vldrbq_s16(x);
            const int16x8_t weight = vldrbq_s16(weights);
            even = vaddq_s32(even, vmullbq_int_s16(pixel, weight));
            odd = vaddq_s32(odd, vmulltq_int_s16(pixel, weight));
            __asm__("" : "+w"(even), "+w"(odd)); /* One tap after the other: there are but eight vectors. */
            x += channels;
            weights += channels;
        }
    }
    const int32x4_t first = requantize_four(even, records, low, high, form);
    const int32x4_t second = requantize_four(odd, &records[16], low, high, form);
    vstrbq_s16(output, vmovntq_s32(vmovnbq_s32(vdupq_n_s16(0), first), second));
#else
    for (int32_t channel = 0; channel < 8; ++channel) {
        int32_t sum = 0;
        for (int32_t i = 0; i < kernel_h * kernel_w; ++i) {
            const int8_t pixel = rows[i / kernel_w * row_bytes + i % kernel_w * channels + channel];
            sum += pixel * weights[i * channels + channel];
        }
        output[channel] = requantize_one(sum, &records[channel % 2 * 16], channel / 2, low, high, form);
    }
#endif
}
