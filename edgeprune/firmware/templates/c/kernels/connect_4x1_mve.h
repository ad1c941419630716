/* Four output channels of one row. */
EDGEPRUNE_INLINE void connect_4x1(const int8_t *weights, const int8_t *inputs, int32_t count,
                                  const int32_t *records, int8_t *output, int32_t low, int32_t high,
                                  bool is_odd)
{
    int32_t sums[4];
    dot_4x1_mve(weights, inputs, count, sums);
#if defined(__ARM_FEATURE_MVE)
    vstrbq_s32(output, requantize_four(pack_sums(sums[0], sums[1], sums[2], sums[3]), records, low, high, is_odd));
#else
    put_four_sums(sums, records, output, low, high, is_odd);
#endif
}

static void connect_4x1_mve(const int8_t *weights, const int8_t *inputs, int32_t count, const int32_t *records,
                            int8_t *output, int32_t low, int32_t high)
{
    connect_4x1(weights, inputs, count, records, output, low, high, false);
}
