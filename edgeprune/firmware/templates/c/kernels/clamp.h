EDGEPRUNE_INLINE int8_t clamp_int8(int32_t value, int32_t low, int32_t high)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
    /* One instruction where there is nothing to clamp but the type. */
    if (__builtin_constant_p(low) && __builtin_constant_p(high) && (low == INT8_MIN) && (high == INT8_MAX)) {
        int32_t saturated;
        __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(value));
        return (int8_t)saturated;
    }
#endif
    const int32_t raised = (value < low) ? low : value;
    return (int8_t)((raised > high) ? high : raised);
}
