/* Four channels of two pixels. All is loaded before anything is stored: a store of int8_t might change the records, for
 * all a C compiler knows. */
EDGEPRUNE_INLINE void put_four_of_two(const int32_t sums[4], const int32_t next_sums[4], const int32_t *records,
                                      int8_t *output, int8_t *next_output, int32_t low, int32_t high,
                                      enum edgeprune_form form)
{
#if defined(__ARM_FEATURE_MVE)
    const int32x4_t packed = pack_sums(sums[0], sums[1], sums[2], sums[3]);
    const int32x4_t next_packed = pack_sums(next_sums[0], next_sums[1], next_sums[2], next_sums[3]);
    const int32x4_t values = requantize_four(packed, records, low, high, form);
    const int32x4_t next_values = requantize_four(next_packed, records, low, high, form);
    vstrbq_s32(output, values);
    vstrbq_s32(next_output, next_values);
#else
    put_four(sums, records, output, low, high, form);
    put_four(next_sums, records, next_output, low, high, form);
#endif
}

/* All output channels of two pixels, four at a time; `count` is a multiple of 4. */
EDGEPRUNE_INLINE void convolve_two(const int8_t *weights, const int8_t *patches, int32_t runs,
                                   const int32_t *records, int32_t count, int8_t *output, int8_t *next_output,
                                   int32_t low, int32_t high, enum edgeprune_form form)
{
    for (int32_t left = count; left > 0; left -= 4) {
        int32_t sums[4];
        int32_t next_sums[4];
        weights = dot_4x2_mve(weights, patches, &patches[16 * runs], runs, sums, next_sums);
        put_four_of_two(sums, next_sums, records, output, next_output, low, high, form);
        records += 16;
        output += 4;
        next_output += 4;
    }
}
