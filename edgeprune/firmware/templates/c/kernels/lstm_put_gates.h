/* Eight sums as gates, Q3.12: added to what these hold, or instead of it. */
static void lstm_put_gates(const int32_t sums[8], const struct edgeprune_channel *channels, int16_t *gates,
                           int32_t is_added)
{
    for (int32_t i = 0; i < 8; ++i) {
        const int32_t share = saturate_int16(requantize_right(sums[i], &channels[i]));
        gates[i] = (int16_t)((is_added != 0) ? saturate_int16(gates[i] + share) : share);
    }
}
