/* As put_two(), for records of either form. */
EDGEPRUNE_INLINE void put_two_odd(int32_t twice, int32_t next_twice, const struct edgeprune_channel *channel,
                                  int8_t *output, int8_t *next, int32_t low, int32_t high)
{
    if (channel->shift < 32) {
        put_two(twice, next_twice, channel, output, next, low, high, false);
    } else {
        *output = clamp_int8(requantize(twice / 2, channel), low, high);
        *next = clamp_int8(requantize(next_twice / 2, channel), low, high);
    }
}

/* Four output channels of two pixels, some of them odd; `turns` says in bit n whether those of pair n change
 * places. */
static void convolve_4x2_odd(const int32_t *weights, const int32_t *patches, int32_t pairs,
                             const struct edgeprune_channel *channels, int32_t turns, int8_t output[4],
                             int8_t next[4], int32_t low, int32_t high)
{
    const struct sums_4x2 sums = dot_4x2(&weights, patches, pairs);
    const int32_t a = turns & 1;
    const int32_t c = (turns & 2) / 2;
    put_two_odd(2 * sums.a0, 2 * sums.a1, &channels[0], &output[a], &next[a], low, high);
    put_two_odd(split_twice(sums.ab0, sums.a0), split_twice(sums.ab1, sums.a1), &channels[1], &output[1 - a],
                &next[1 - a], low, high);
    put_two_odd(2 * sums.c0, 2 * sums.c1, &channels[2], &output[2 + c], &next[2 + c], low, high);
    put_two_odd(split_twice(sums.cd0, sums.c0), split_twice(sums.cd1, sums.c1), &channels[3], &output[3 - c],
                &next[3 - c], low, high);
}
