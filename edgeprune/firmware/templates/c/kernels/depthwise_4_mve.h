/* Four channels of one pixel; where the window reaches beyond the image, inputs are the zero point. */
EDGEPRUNE_INLINE void depthwise_4_mve(const int8_t *image, const int8_t *weights,
                                      const struct edgeprune_channel *records, int8_t *output, int32_t top,
                                      int32_t left, int32_t kernel_h, int32_t kernel_w, int32_t in_h, int32_t in_w,
                                      int32_t channels, int32_t zero, int32_t low, int32_t high)
{
    const bool is_inside = (top >= 0) && (left >= 0) && (top + kernel_h <= in_h) && (left + kernel_w <= in_w);
#if defined(__ARM_FEATURE_MVE)
    int32x4_t sums = vdupq_n_s32(0);
    for (int32_t i = 0; i < kernel_h; ++i) {
        const int8_t *row = &image[((top + i) * in_w + left) * channels];
        for (int32_t j = 0; j < kernel_w; ++j, weights += channels) {
            const int32x4_t weight = vldrbq_s32(weights);
            if (is_inside || ((top + i >= 0) && (top + i < in_h) && (left + j >= 0) && (left + j < in_w))) {
                sums = vaddq_s32(sums, vmulq_s32(weight, vldrbq_s32(&row[j * channels])));
            } else {
                sums = vmlaq_n_s32(sums, weight, zero);
            }
        }
    }
#else
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < kernel_h * kernel_w; ++i, weights += channels) {
        const int32_t y = top + i / kernel_w;
        const int32_t x = left + i % kernel_w;
        const bool is_pixel = is_inside || ((y >= 0) && (y < in_h) && (x >= 0) && (x < in_w));
        for (int32_t channel = 0; channel < 4; ++channel) {
            sums[channel] += weights[channel] * (is_pixel ? image[(y * in_w + x) * channels + channel] : zero);
        }
    }
#endif
    put_four_sums(sums, records, output, low, high);
}
