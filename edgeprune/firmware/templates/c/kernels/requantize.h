/* An int32 sum as an int8 output: bias, multiplier and shift are the channel's; 64 is
 * added to the shift. */
static inline int32_t requantize(int32_t sum, const struct edgeprune_channel *channel)
{
    return add_wrapping(rescale(add_wrapping(sum, channel->bias), channel->multiplier, channel->shift - 64), channel->offset);
}
