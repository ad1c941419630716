/* Helium's vectors where the core has them; elsewhere the same in C. Runs of weights and inputs are filled up to
 * 16 bytes, with weights of 0. */
enum edgeprune_form {
    SHIFTS_RIGHT,
    SHIFTS_RIGHT_OF_RELU, /* how a negative product is rounded does not matter: its output is the lower limit */
    SHIFTS_EITHER_WAY
};

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

/* Four sums as outputs. `records` holds the biases of the four channels, then their multipliers, offsets and shifts.
 * An output starts with the top byte of its lane, where shifts to the left put it, saturated; shifts that go either
 * way leave it below. */
EDGEPRUNE_INLINE int32x4_t requantize_four(int32x4_t sums, const int32_t *records, int32_t low, int32_t high,
                                           enum edgeprune_form form)
{
    const int32x4_t biased = vaddq_s32(sums, vldrwq_s32(records));
    int32x4_t value;
    if (form == SHIFTS_EITHER_WAY) {
        const int32x4_t shift = vldrwq_s32(&records[12]);
        const int32x4_t left = vmaxq_s32(shift, vdupq_n_s32(0));
        const int32x4_t right = vminq_s32(shift, vdupq_n_s32(0));
        const int32x4_t doubled = vqrdmulhq_s32(vshlq_s32(biased, left), vldrwq_s32(&records[4]));
        const int32x4_t away = vshrq_n_s32(vandq_s32(doubled, right), 31); /* halves go away from zero */
        value = vaddq_s32(vrshlq_s32(vaddq_s32(doubled, away), right), vldrwq_s32(&records[8]));
    } else {
        int32x4_t product = vqrdmulhq_s32(biased, vldrwq_s32(&records[4]));
        if (form == SHIFTS_RIGHT) {
            product = vaddq_s32(product, vshrq_n_s32(product, 31));
        }
        const int32x4_t rounded = vaddq_s32(product, vldrwq_s32(&records[8]));
        value = vshrq_n_s32(vqshlq_s32(rounded, vldrwq_s32(&records[12])), 24);
        if ((low == INT8_MIN) && (high == INT8_MAX)) {
            return value;
        }
    }
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
EDGEPRUNE_INLINE int8_t requantize_one(int32_t sum, const int32_t *records, int32_t place, int32_t low, int32_t high,
                                       enum edgeprune_form form)
{
    if (form == SHIFTS_EITHER_WAY) {
        const int32_t value = rescale(add_wrapping(sum, records[place]), records[4 + place], records[12 + place]);
        return clamp_int8(add_wrapping(value, records[8 + place]), low, high);
    }
    const int32_t product = multiply_high(sum + records[place], records[4 + place]);
    const int32_t away = (form == SHIFTS_RIGHT) ? product >> 31 : 0;
    return clamp_int8((product + away + records[8 + place]) >> (24 - records[12 + place]), low, high);
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

EDGEPRUNE_INLINE void put_four(const int32_t sums[4], const int32_t *records, int8_t *output, int32_t low, int32_t high,
                               enum edgeprune_form form)
{
#if defined(__ARM_FEATURE_MVE)
    const int32x4_t packed = pack_sums(sums[0], sums[1], sums[2], sums[3]);
    vstrbq_s32(output, requantize_four(packed, records, low, high, form));
#else
    for (int32_t i = 0; i < 4; ++i) {
        output[i] = requantize_one(sums[i], records, i, low, high, form);
    }
#endif
}
