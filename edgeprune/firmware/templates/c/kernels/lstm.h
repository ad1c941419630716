EDGEPRUNE_INLINE int32_t clamp_int16(int32_t value)
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

/* Logistic function of |value| / 24 / 2^bits, Q0.16 shifted left by `bits`, between neighbours of a table. */
EDGEPRUNE_INLINE int32_t lstm_interpolate(const int32_t *table, int32_t magnitude, int32_t bits)
{
    const int32_t place = magnitude >> bits;
    if (place >= 255) {
        return -1;
    }
    const int32_t fraction = magnitude & ((1 << bits) - 1);
    const int32_t step = table[place + 1] - table[place];
    return (table[place] << bits) + fraction * step;
}

/* Q3.12 to Q0.15. */
EDGEPRUNE_INLINE int32_t lstm_logistic(const int32_t *table, int32_t value)
{
    const int32_t scaled = value * 3;
    const int32_t found = lstm_interpolate(table, (scaled < 0) ? -scaled : scaled, 9);
    const int32_t result = (found < 0) ? 0x7FFF << 10 : found;
    return ((scaled >= 0) ? result + (1 << 9) : (1 << 25) - result + (1 << 9) - 1) >> 10;
}

/* To Q0.15; multiplier and shift bring the value to 24 * 256 steps. */
EDGEPRUNE_INLINE int32_t lstm_tanh(const int32_t *table, int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t scaled = (value * multiplier + ((1 << shift) >> 1)) >> shift;
    const int32_t found = lstm_interpolate(table, (scaled < 0) ? -scaled : scaled, 8);
    const int32_t result = (found < 0) ? 0xFFFF << 8 : found;
    return ((scaled >= 0) ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1) >> 8;
}

/* Between -limit and limit; 0 is no limit. */
static inline int32_t lstm_clip(int32_t value, int32_t limit)
{
    const int32_t lowered = ((limit > 0) && (value > limit)) ? limit : value;
    return ((limit > 0) && (lowered < -limit)) ? -limit : lowered;
}
