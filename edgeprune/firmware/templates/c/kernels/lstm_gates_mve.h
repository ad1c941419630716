#if defined(__ARM_FEATURE_MVE)
/* As requantize_four(), in 16 bits; shifts go to the left, and are negative. */
EDGEPRUNE_INLINE int32x4_t share_four(int32x4_t sums, const int32_t *records)
{
    const int32x4_t product = vqrdmulhq_s32(vaddq_s32(sums, vldrwq_s32(records)), vldrwq_s32(&records[4]));
    const int32x4_t away = vaddq_s32(product, vshrq_n_s32(product, 31));
    const int32x4_t share = vshlq_s32(vaddq_s32(away, vldrwq_s32(&records[8])), vldrwq_s32(&records[12]));
    return vminq_s32(vmaxq_s32(share, vdupq_n_s32(INT16_MIN)), vdupq_n_s32(INT16_MAX));
}
#endif

/* What four rows of gates take, Q3.12: added to what they hold, or instead of it. */
EDGEPRUNE_INLINE void lstm_gates_mve(const int8_t *weights, const int8_t *values, int32_t count,
                                     const int32_t *records, int16_t *gates, int32_t is_added)
{
    int32_t sums[4];
    dot_4x1_mve(weights, values, count, sums);
#if defined(__ARM_FEATURE_MVE)
    const int32x4_t packed = pack_sums(sums[0], sums[1], sums[2], sums[3]);
    int32x4_t shares = share_four(packed, records);
    if (is_added != 0) {
        shares = vaddq_s32(shares, vldrhq_s32(gates));
        shares = vminq_s32(vmaxq_s32(shares, vdupq_n_s32(INT16_MIN)), vdupq_n_s32(INT16_MAX));
    }
    vstrhq_s32(gates, shares);
#else
    for (int32_t i = 0; i < 4; ++i) {
        const int32_t product = multiply_high(sums[i] + records[i], records[4 + i]);
        const int32_t share = saturate_int16((product + (product >> 31) + records[8 + i]) >> -records[12 + i]);
        gates[i] = (int16_t)((is_added != 0) ? saturate_int16(gates[i] + share) : share);
    }
#endif
}
