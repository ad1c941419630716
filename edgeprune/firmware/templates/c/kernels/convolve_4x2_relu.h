/* The same where what is negative ends as INT8_MIN. */
static void convolve_4x2_relu(const int32_t *weights, const int32_t *patches, int32_t pairs,
                              const struct edgeprune_channel *channels, int32_t count, int8_t *output, int8_t *next)
{
    const int8_t *const last = &output[count];
    for (; output != last; output += 4, next += 4, channels += 4) {
        const struct sums_4x2 sums = dot_4x2(&weights, patches, pairs);
        put_4x2(&sums, channels, output, next, INT8_MIN, INT8_MAX, true);
    }
}
