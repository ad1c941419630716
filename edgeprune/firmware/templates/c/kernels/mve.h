/* Helium's vectors where the core has them; elsewhere the same in C. Runs of weights and inputs are filled up to
 * 16 bytes, with weights of 0. */
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* Four sums as outputs, by the records of four channels. */
EDGEPRUNE_INLINE int32x4_t requantize_four(int32x4_t sums, const struct edgeprune_channel *channels, int32_t low,
                                           int32_t high)
{
    const int32x4x4_t records = vld4q_s32(&channels->bias); /* biases, multipliers, offsets, shifts */
    const int32x4_t doubled = vaddq_s32(vshlq_n_s32(sums, 1), records.val[0]);
    const int32x4_t product = vrmulhq_s32(doubled, records.val[1]);
    const int32x4_t rounded = vaddq_s32(vaddq_s32(product, vshrq_n_s32(product, 31)), records.val[2]);
    const int32x4_t value = vshlq_s32(rounded, vnegq_s32(records.val[3]));
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(low)), vdupq_n_s32(high));
}

EDGEPRUNE_INLINE void put_four_sums(int32x4_t sums, const struct edgeprune_channel *channels, int8_t *output,
                                    int32_t low, int32_t high)
{
    vstrbq_s32(output, requantize_four(sums, channels, low, high));
}

EDGEPRUNE_INLINE void copy_vectors(int8_t *to, const int8_t *from, int32_t count)
{
    int32_t left = count;
    for (; left >= 16; left -= 16) {
        vstrbq_s8(to, vldrbq_s8(from));
        to += 16;
        from += 16;
    }
    if (left > 0) {
        const mve_pred16_t some = vctp8q((uint32_t)left);
        vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
    }
}

EDGEPRUNE_INLINE void fill_vectors(int8_t *to, int8_t value, int32_t count)
{
    for (int32_t left = count; left > 0; left -= 16) {
        vstrbq_p_s8(to, vdupq_n_s8(value), vctp8q((uint32_t)left));
        to += 16;
    }
}
#else
EDGEPRUNE_INLINE void put_four_sums(const int32_t sums[4], const struct edgeprune_channel *channels,
                                    int8_t *output, int32_t low, int32_t high)
{
    for (int32_t i = 0; i < 4; ++i) {
        output[i] = clamp_int8(requantize_doubled(2 * sums[i], &channels[i]), low, high);
    }
}

EDGEPRUNE_INLINE void copy_vectors(int8_t *to, const int8_t *from, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

EDGEPRUNE_INLINE void fill_vectors(int8_t *to, int8_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = value;
    }
}
#endif
