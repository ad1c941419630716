/* As winograd_put(), which does what it can, for records of either form and any limits. */
static void winograd_put_any(const int32_t sums[128], const struct edgeprune_channel channels[4], int8_t *output,
                             int32_t row, int32_t pixel, int32_t low, int32_t high)
{
    const bool is_right = (channels[0].shift < 32) && (channels[1].shift < 32) && (channels[2].shift < 32) &&
                          (channels[3].shift < 32);
    if (is_right && (low == INT8_MIN) && (high == INT8_MAX)) {
        winograd_put(sums, channels, output, row, pixel);
        return;
    }
    for (int32_t channel = 0; channel < 4; ++channel) {
        const struct edgeprune_channel record = channels[channel];
        for (int32_t tile = 0; tile < 2; ++tile) {
            int32_t quadruples[4];
            winograd_outputs(&sums[2 * channel + tile], quadruples);
            int8_t *const first = &output[2 * tile * pixel + channel];
            first[0] = clamp_int8(requantize_any(quadruples[0] >> 2, &record), low, high);
            first[pixel] = clamp_int8(requantize_any(quadruples[1] >> 2, &record), low, high);
            first[row] = clamp_int8(requantize_any(quadruples[2] >> 2, &record), low, high);
            first[row + pixel] = clamp_int8(requantize_any(quadruples[3] >> 2, &record), low, high);
        }
    }
}
