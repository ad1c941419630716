#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define EDGEPRUNE_SHORT_PRODUCTS 1
/* value * factor / 65536, as its upper 32 bits and the 16 below, on cores whose products have 32 bits;
 * factor >= 0. */
static inline int32_t multiply_parts(int32_t value, int32_t factor, int32_t *below)
{
    const uint32_t low = (uint32_t)value & 0xFFFFU;
    const int32_t high = value >> 16;
    const uint32_t factor_low = (uint32_t)factor & 0xFFFFU;
    const uint32_t factor_high = (uint32_t)factor >> 16;
    /* Neither sum overflows: each product lacks at least 2^16 to the limit of its type. */
    const int32_t middle = high * (int32_t)factor_low + (int32_t)((low * factor_low) >> 16);
    const uint32_t lower = low * factor_high + ((uint32_t)middle & 0xFFFFU);
    *below = (int32_t)(lower & 0xFFFFU);
    return high * (int32_t)factor_high + (middle >> 16) + (int32_t)(lower >> 16);
}
#endif

/* value * factor / 2^31, rounded to nearest. */
static inline int32_t multiply_high(int32_t value, int32_t factor)
{
#if defined(EDGEPRUNE_SHORT_PRODUCTS)
    if (factor >= 0) {
        int32_t below;
        const int32_t upper = multiply_parts(value, factor, &below);
        return 2 * upper + ((below + 0x4000) >> 15);
    }
#endif
    return (int32_t)(((int64_t)value * factor + (1 << 30)) >> 31);
}
