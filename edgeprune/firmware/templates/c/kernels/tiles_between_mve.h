/* With an activation that clamps. */
EDGEPRUNE_APART void tiles_between_mve(const int8_t *columns, const int8_t *weights,
                                       const struct edgeprune_channel *records, int32_t channels, int8_t *output,
                                       int32_t width, int32_t pixel, int32_t low, int32_t high)
{
    depthwise_tiles(columns, weights, records, channels, output, width, pixel, low, high, SHIFTS_RIGHT, false);
}
