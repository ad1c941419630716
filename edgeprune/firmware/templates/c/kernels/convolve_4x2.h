/* Both pixels' sums of one channel, doubled, as int8. The record is copied first: a store of int8_t might change it, for
 * all a C compiler knows. */
EDGEPRUNE_INLINE void put_two(int32_t twice, int32_t next_twice, const struct edgeprune_channel *channel,
                              int8_t *output, int8_t *next, int32_t low, int32_t high, bool is_relu)
{
    const struct edgeprune_channel record = *channel;
    const int32_t value = requantize_doubled(twice, &record, is_relu);
    const int32_t next_value = requantize_doubled(next_twice, &record, is_relu);
    *output = clamp_int8(value, low, high);
    *next = clamp_int8(next_value, low, high);
}

EDGEPRUNE_INLINE void put_4x2(const struct sums_4x2 *sums, const struct edgeprune_channel *channels,
                              int8_t *output, int8_t *next, int32_t low, int32_t high, bool is_relu)
{
    put_two(2 * sums->a0, 2 * sums->a1, &channels[0], &output[0], &next[0], low, high, is_relu);
    put_two(split_twice(sums->ab0, sums->a0), split_twice(sums->ab1, sums->a1), &channels[1], &output[1], &next[1],
            low, high, is_relu);
    put_two(2 * sums->c0, 2 * sums->c1, &channels[2], &output[2], &next[2], low, high, is_relu);
    put_two(split_twice(sums->cd0, sums->c0), split_twice(sums->cd1, sums->c1), &channels[3], &output[3], &next[3],
            low, high, is_relu);
}
