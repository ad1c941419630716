/* The sums of four output channels of one row. The last run may reach beyond the row: only `count` inputs are read. */
EDGEPRUNE_INLINE void dot_4x1_mve(const int8_t *weights, const int8_t *inputs, int32_t count, int32_t sums[4])
{
    int32_t a = 0, b = 0, c = 0, d = 0;
#if defined(__ARM_FEATURE_MVE)
    for (int32_t left = count; left > 0; left -= 16) {
        const int8x16_t x = vldrbq_z_s8(inputs, vctp8q((uint32_t)left));
        a = vmladavaq_s8(a, load_run(&weights), x);
        b = vmladavaq_s8(b, load_run(&weights), x);
        c = vmladavaq_s8(c, load_run(&weights), x);
        d = vmladavaq_s8(d, load_run(&weights), x);
        inputs += 16;
    }
#else
    for (int32_t i = 0; i < count; ++i) {
        const int8_t *const run = &weights[i / 16 * 64 + i % 16];
        a += run[0] * inputs[i];
        b += run[16] * inputs[i];
        c += run[32] * inputs[i];
        d += run[48] * inputs[i];
    }
#endif
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
