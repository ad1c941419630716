/* With nothing to clamp but the type. */
EDGEPRUNE_APART void convolve_two_full_mve(const int8_t *weights, const int8_t *patches, int32_t runs,
                                           const int32_t *records, int32_t count, int8_t *output,
                                           int8_t *next_output)
{
    convolve_two(weights, patches, runs, records, count, output, next_output, INT8_MIN, INT8_MAX, SHIFTS_RIGHT);
}
