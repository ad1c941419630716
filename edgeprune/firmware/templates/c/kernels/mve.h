/* Helium's vectors where the core has them; elsewhere the same in C. Runs of weights and inputs are filled up to
 * 16 bytes, with weights of 0. */
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* Four sums as outputs. `records` holds the biases of the four channels, then their multipliers, offsets and shifts;
 * these go to the left, and are negative. */
EDGEPRUNE_INLINE int32x4_t requantize_four(int32x4_t sums, const int32_t *records, int32_t low, int32_t high,
                                           bool is_odd)
{
    const int32x4_t biased = vaddq_s32(sums, vldrwq_s32(records));
    if (is_odd) { /* shifts go either way */
        const int32x4_t shift = vldrwq_s32(&records[12]);
        const int32x4_t left = vmaxq_s32(shift, vdupq_n_s32(0));
        const int32x4_t right = vminq_s32(shift, vdupq_n_s32(0));
        const int32x4_t doubled = vqrdmulhq_s32(vshlq_s32(biased, left), vldrwq_s32(&records[4]));
        const int32x4_t away = vshrq_n_s32(vandq_s32(doubled, right), 31); /* halves go away from zero */
        const int32x4_t scaled = vaddq_s32(vrshlq_s32(vaddq_s32(doubled, away), right), vldrwq_s32(&records[8]));
        return vminq_s32(vmaxq_s32(scaled, vdupq_n_s32(low)), vdupq_n_s32(high));
    }
    const int32x4_t product = vqrdmulhq_s32(biased, vldrwq_s32(&records[4]));
    const int32x4_t signs = vshrq_n_s32(product, 31);
    const int32x4_t rounded = vaddq_s32(vaddq_s32(product, signs), vldrwq_s32(&records[8]));
    const int32x4_t value = vshlq_s32(rounded, vldrwq_s32(&records[12]));
    return vminq_s32(vmaxq_s32(value, vdupq_n_s32(low)), vdupq_n_s32(high));
}

/* The next run of weights. */
EDGEPRUNE_INLINE int8x16_t load_run(const int8_t **weights)
{
    const int8x16_t run = vldrbq_s8(*weights);
    *weights += 16;
    __asm__("" : "+r"(*weights)); /* Each load moves the pointer on; otherwise compilers keep two of them. */
    return run;
}

EDGEPRUNE_INLINE int32x4_t pack_sums(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t sums;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4" : "=&w"(sums) : "r"(a), "r"(b), "r"(c), "r"(d));
    return sums;
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
EDGEPRUNE_INLINE int32_t requantize_one(int32_t sum, const int32_t *records, int32_t place, bool is_odd)
{
    if (is_odd) {
        const int32_t biased = add_wrapping(sum, records[place]);
        return add_wrapping(rescale(biased, records[4 + place], records[12 + place]), records[8 + place]);
    }
    const int32_t product = multiply_high(sum + records[place], records[4 + place]);
    return (product + (product >> 31) + records[8 + place]) >> -records[12 + place];
}

EDGEPRUNE_INLINE void put_four_sums(const int32_t sums[4], const int32_t *records, int8_t *output, int32_t low,
                                    int32_t high, bool is_odd)
{
    for (int32_t i = 0; i < 4; ++i) {
        output[i] = clamp_int8(requantize_one(sums[i], records, i, is_odd), low, high);
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
