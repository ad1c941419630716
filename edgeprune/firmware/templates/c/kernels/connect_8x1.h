/* Eight output channels of one row. */
static void connect_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups,
                        const struct edgeprune_channel *channels, int8_t *output, int32_t low, int32_t high)
{
    struct sums_8x1 sums;
    dot_8x1(weights, inputs, groups, &sums);
    output[0] = clamp_int8(requantize_doubled(2 * sums.a, &channels[0], false), low, high);
    output[1] = clamp_int8(requantize_doubled(split_twice(sums.ab, sums.a), &channels[1], false), low, high);
    output[2] = clamp_int8(requantize_doubled(2 * sums.c, &channels[2], false), low, high);
    output[3] = clamp_int8(requantize_doubled(split_twice(sums.cd, sums.c), &channels[3], false), low, high);
    output[4] = clamp_int8(requantize_doubled(2 * sums.e, &channels[4], false), low, high);
    output[5] = clamp_int8(requantize_doubled(split_twice(sums.ef, sums.e), &channels[5], false), low, high);
    output[6] = clamp_int8(requantize_doubled(2 * sums.g, &channels[6], false), low, high);
    output[7] = clamp_int8(requantize_doubled(split_twice(sums.gh, sums.g), &channels[7], false), low, high);
}
