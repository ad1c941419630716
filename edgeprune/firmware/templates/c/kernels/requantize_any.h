/* The function that the channel was packed for: shifts from 32 on tell the odd ones. */
static inline int32_t requantize_any(int32_t sum, const struct edgeprune_channel *channel)
{
    return (channel->shift < 32) ? requantize_right(sum, channel) : requantize(sum, channel);
}
