/* An int32 sum as an int8 output, where the compiler has seen that the channel only shifts right, by at least
 * one bit, and that twice the sum fits 32 bits: `bias` is doubled, and `offset` holds the rounding and the zero
 * point. */
EDGEPRUNE_INLINE int32_t requantize_doubled(int32_t twice_sum, const struct edgeprune_channel *channel, bool is_relu)
{
    const int32_t value = channel->bias + twice_sum;
    int32_t high;
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(value), "r"(channel->multiplier));
#elif defined(EDGEPRUNE_SHORT_PRODUCTS)
    int32_t below;
    high = multiply_parts(value, channel->multiplier, &below);
    high += (below + 0x8000) >> 16;
#else
    high = (int32_t)(((int64_t)value * channel->multiplier + INT64_C(0x80000000)) >> 32);
#endif
    const int32_t away = is_relu ? 0 : high >> 31; /* what is below a RELU's limit may be rounded either way */
    return (high + away + channel->offset) >> channel->shift;
}

EDGEPRUNE_INLINE int32_t requantize_right(int32_t sum, const struct edgeprune_channel *channel)
{
    return requantize_doubled(2 * sum, channel, false);
}

/* The same where a RELU cuts off what is negative. */
EDGEPRUNE_INLINE int32_t requantize_relu(int32_t sum, const struct edgeprune_channel *channel)
{
    return requantize_doubled(2 * sum, channel, true);
}
