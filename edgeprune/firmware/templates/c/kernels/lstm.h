EDGEPRUNE_INLINE int32_t saturate_int16(int32_t value)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
    int32_t saturated;
    __asm__("ssat %0, #16, %1" : "=r"(saturated) : "r"(value));
    return saturated;
#else
    return (value == (int16_t)value) ? value : ((value < 0) ? INT16_MIN : INT16_MAX);
#endif
}

/* As rescale(), for values of at most 2^30 in absolute value and factors below 1: nothing overflows. */
EDGEPRUNE_INLINE int32_t lstm_rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t half = (int32_t)((UINT32_C(1) << -shift) >> 1);
    const int32_t high = (multiplier == 1 << 30) ? (value + 1) >> 1 : multiply_high(value, multiplier);
    return (shift == 0) ? high : (high + (high >> 31) + half) >> -shift;
}

/* Q3.12 to Q0.15. */
EDGEPRUNE_INLINE int32_t lstm_logistic(const int32_t *table, int32_t value)
{
    return logistic_of(table, value * 3);
}

/* To Q0.15; multiplier and shift bring the value to 24 * 256 steps. */
EDGEPRUNE_INLINE int32_t lstm_tanh(const int32_t *table, int32_t value, int32_t multiplier, int32_t shift)
{
    return tanh_of(table, (value * multiplier + ((1 << shift) >> 1)) >> shift);
}

/* Between -limit and limit; 0 is no limit. */
static inline int32_t lstm_clip(int32_t value, int32_t limit)
{
    const int32_t lowered = ((limit > 0) && (value > limit)) ? limit : value;
    return ((limit > 0) && (lowered < -limit)) ? -limit : lowered;
}
