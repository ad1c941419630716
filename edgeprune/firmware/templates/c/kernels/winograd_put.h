/* Four channels of both tiles as int8, with nothing to clamp but the type; `row` and `pixel` are distances of outputs. */
static void winograd_put(const int32_t sums[128], const struct edgeprune_channel channels[4], int8_t *output,
                         int32_t row, int32_t pixel)
{
    for (int32_t channel = 0; channel < 4; ++channel) {
        const struct edgeprune_channel record = channels[channel];
        for (int32_t tile = 0; tile < 2; ++tile) {
            int32_t quadruples[4];
            winograd_outputs(&sums[2 * channel + tile], quadruples);
            int8_t *const first = &output[2 * tile * pixel + channel];
            first[0] = clamp_int8(requantize_doubled(quadruples[0] >> 1, &record, false), INT8_MIN, INT8_MAX);
            first[pixel] = clamp_int8(requantize_doubled(quadruples[1] >> 1, &record, false), INT8_MIN, INT8_MAX);
            first[row] = clamp_int8(requantize_doubled(quadruples[2] >> 1, &record, false), INT8_MIN, INT8_MAX);
            first[row + pixel] = clamp_int8(requantize_doubled(quadruples[3] >> 1, &record, false), INT8_MIN, INT8_MAX);
        }
    }
}
