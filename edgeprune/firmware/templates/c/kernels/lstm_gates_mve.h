/* What four rows of gates take, Q3.12: added to what they hold, or instead of it. */
EDGEPRUNE_INLINE void lstm_gates_mve(const int8_t *weights, const int8_t *values, int32_t count,
                                     const int32_t *records, int16_t *gates, int32_t is_added)
{
    int32_t sums[4];
    dot_4x1_mve(weights, values, count, sums);
#if defined(__ARM_FEATURE_MVE)
    const int32x4_t packed = pack_sums(sums[0], sums[1], sums[2], sums[3]);
    int32x4_t shares = requantize_four(packed, records, INT16_MIN, INT16_MAX, false);
    if (is_added != 0) {
        shares = vaddq_s32(shares, vldrhq_s32(gates));
        shares = vminq_s32(vmaxq_s32(shares, vdupq_n_s32(INT16_MIN)), vdupq_n_s32(INT16_MAX));
    }
    vstrhq_s32(gates, shares);
#else
    for (int32_t i = 0; i < 4; ++i) {
        const int32_t share = saturate_int16(requantize_one(sums[i], records, i, false));
        gates[i] = (int16_t)((is_added != 0) ? saturate_int16(gates[i] + share) : share);
    }
#endif
}
