/* Four output channels of one row. */
static void connect_4x1_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                            const int32_t *records, int8_t *output, int32_t low, int32_t high)
{
    int32_t sums[4];
    dot_4x1_mve(weights, inputs, count, sums);
#if defined(__ARM_FEATURE_MVE)
    vstrbq_s32(output, requantize_four(pack_sums(sums[0], sums[1], sums[2], sums[3]), records, low, high));
#else
    put_four_sums(sums, records, output, low, high);
#endif
}
