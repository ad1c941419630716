/* Eight output channels of one row. */
static void connect_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups,
                        const struct edgeprune_channel *channels, int8_t *output, int32_t low, int32_t high)
{
    int32_t sums[8];
    dot_8x1(weights, inputs, groups, sums);
    output[0] = clamp_int8(requantize_doubled(2 * sums[0], &channels[0], false), low, high);
    output[1] = clamp_int8(requantize_doubled(split_twice(sums[1], sums[0]), &channels[1], false), low, high);
    output[2] = clamp_int8(requantize_doubled(2 * sums[2], &channels[2], false), low, high);
    output[3] = clamp_int8(requantize_doubled(split_twice(sums[3], sums[2]), &channels[3], false), low, high);
    output[4] = clamp_int8(requantize_doubled(2 * sums[4], &channels[4], false), low, high);
    output[5] = clamp_int8(requantize_doubled(split_twice(sums[5], sums[4]), &channels[5], false), low, high);
    output[6] = clamp_int8(requantize_doubled(2 * sums[6], &channels[6], false), low, high);
    output[7] = clamp_int8(requantize_doubled(split_twice(sums[7], sums[6]), &channels[7], false), low, high);
}
