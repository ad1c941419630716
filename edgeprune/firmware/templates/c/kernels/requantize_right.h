/* The same where the compiler has seen that the channel only shifts right, by at least one bit, and that
 * twice the sum fits 32 bits: `bias` is doubled, and `offset` holds the rounding and the zero point. */
static inline int32_t requantize_right(int32_t sum, const struct edgeprune_channel *channel)
{
    const int32_t doubled = channel->bias + 2 * sum;
    int32_t high;
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(doubled), "r"(channel->multiplier));
#else
    high = (int32_t)(((int64_t)doubled * channel->multiplier + INT64_C(0x80000000)) >> 32);
#endif
    return (high + (high >> 31) + channel->offset) >> channel->shift;
}
