/* Four output channels of one row. The last run may reach beyond the row: only `count` inputs are read. */
static void connect_4x1_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                            const int32_t *records, int8_t *output, int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_MVE)
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t left = count; left > 0; left -= 16) {
        const int8x16_t x = vldrbq_z_s8(inputs, vctp8q((uint32_t)left));
        a = vmladavaq_s8(a, load_run(&weights), x);
        b = vmladavaq_s8(b, load_run(&weights), x);
        c = vmladavaq_s8(c, load_run(&weights), x);
        d = vmladavaq_s8(d, load_run(&weights), x);
        inputs += 16;
    }
    vstrbq_s32(output, requantize_four(pack_sums(a, b, c, d), records, low, high));
#else
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; ++i) {
        for (int32_t channel = 0; channel < 4; ++channel) {
            sums[channel] += weights[i / 16 * 64 + channel * 16 + i % 16] * inputs[i];
        }
    }
    put_four_sums(sums, records, output, low, high);
#endif
}
