#if defined(__ARM_FEATURE_MVE)
/* As rescale(), for shifts to the right. */
EDGEPRUNE_INLINE int32x4_t rescale_four(int32x4_t values, int32_t multiplier, int32_t shift)
{
    const int32x4_t high = vqrdmulhq_n_s32(values, multiplier);
    return (shift == 0) ? high : vrshlq_n_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), shift);
}
#endif

/* What ADD and SUB scale their operands and their result by. */
struct edgeprune_sum {
    int32_t left_zero, left_multiplier, left_shift;
    int32_t right_zero, right_multiplier, right_shift;
    int32_t zero, multiplier, shift;
    int32_t low, high;
};

/* Sums of equal shapes, four at a time; `right_sign` is -1 for differences. Shifts go to the right. */
EDGEPRUNE_INLINE void add_mve(const int8_t *left, const int8_t *right, int8_t *output, int32_t count,
                              int32_t right_sign, const struct edgeprune_sum *by)
{
#if defined(__ARM_FEATURE_MVE)
    for (int32_t rest = count; rest > 0; rest -= 4, left += 4, right += 4, output += 4) {
        const mve_pred16_t some = vctp32q((uint32_t)rest);
        int32x4_t x = vshlq_n_s32(vaddq_n_s32(vldrbq_z_s32(left, some), -by->left_zero), 20);
        int32x4_t y = vshlq_n_s32(vaddq_n_s32(vldrbq_z_s32(right, some), -by->right_zero), 20);
        x = rescale_four(x, by->left_multiplier, by->left_shift);
        y = rescale_four(y, by->right_multiplier, by->right_shift);
        int32x4_t sum = (right_sign < 0) ? vsubq_s32(x, y) : vaddq_s32(x, y);
        sum = vaddq_n_s32(rescale_four(sum, by->multiplier, by->shift), by->zero);
        sum = vminq_s32(vmaxq_s32(sum, vdupq_n_s32(by->low)), vdupq_n_s32(by->high));
        vstrbq_p_s32(output, sum, some);
    }
#else
    for (int32_t i = 0; i < count; ++i) {
        const int32_t x = rescale((left[i] - by->left_zero) * (1 << 20), by->left_multiplier, by->left_shift);
        const int32_t y = rescale((right[i] - by->right_zero) * (1 << 20), by->right_multiplier, by->right_shift);
        const int32_t sum = rescale(x + right_sign * y, by->multiplier, by->shift) + by->zero;
        output[i] = clamp_int8(sum, by->low, by->high);
    }
#endif
}
