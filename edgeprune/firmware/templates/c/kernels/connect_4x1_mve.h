/* Four output channels of one row. The last run may reach beyond the row: only `count` inputs are read. */
static void connect_4x1_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                            const struct edgeprune_channel *channels, int8_t *output, int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_MVE)
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t left = count; left > 0; left -= 16) {
        const int8x16_t x = vldrbq_z_s8(inputs, vctp8q((uint32_t)left));
        a = vmladavaq_s8(a, vldrbq_s8(weights), x);
        b = vmladavaq_s8(b, vldrbq_s8(&weights[16]), x);
        c = vmladavaq_s8(c, vldrbq_s8(&weights[32]), x);
        d = vmladavaq_s8(d, vldrbq_s8(&weights[48]), x);
        inputs += 16;
        weights += 64;
    }
    int32x4_t sums = vdupq_n_s32(a);
    sums = vsetq_lane_s32(d, vsetq_lane_s32(c, vsetq_lane_s32(b, sums, 1), 2), 3);
#else
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; ++i) {
        for (int32_t channel = 0; channel < 4; ++channel) {
            sums[channel] += weights[i / 16 * 64 + channel * 16 + i % 16] * inputs[i];
        }
    }
#endif
    put_four_sums(sums, channels, output, low, high);
}
