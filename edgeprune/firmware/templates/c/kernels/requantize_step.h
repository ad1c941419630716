/* An int32 sum as an int8 output, where the compiler has seen that the channel only shifts right, by at least one bit,
 * and that twice the sum fits 32 bits: `bias` is doubled, and `shift` holds -2^(32 - shift), by which SMMLSR shifts,
 * rounds, and adds the zero point in `offset`. */
EDGEPRUNE_INLINE int32_t requantize_doubled(int32_t twice_sum, const struct edgeprune_channel *channel, bool is_relu)
{
    const int32_t value = channel->bias + twice_sum;
    int32_t result;
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(value), "r"(channel->multiplier));
    high += is_relu ? 0 : high >> 31; /* what is below a RELU's limit may be rounded either way */
    __asm__("smmlsr %0, %1, %2, %3" : "=r"(result) : "r"(high), "r"(channel->shift), "r"(channel->offset));
#else
    int64_t high = ((int64_t)value * channel->multiplier + INT64_C(0x80000000)) >> 32;
    high += is_relu ? 0 : high >> 63;
    result = channel->offset + (int32_t)((INT64_C(0x80000000) - high * channel->shift) >> 32);
#endif
    return result;
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
