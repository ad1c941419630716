/* The same where what is negative ends as INT8_MIN. */
EDGEPRUNE_APART void tiles_relu_mve(const int8_t *columns, const int8_t *weights,
                                    const struct edgeprune_channel *records, int32_t channels, int8_t *output,
                                    int32_t width, int32_t pixel)
{
    depthwise_tiles(columns, weights, records, channels, output, width, pixel, INT8_MIN, INT8_MAX, SHIFTS_RIGHT_OF_RELU,
                    false);
}
