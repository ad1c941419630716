/* With an activation that clamps. */
EDGEPRUNE_APART void convolve_two_between_mve(const int8_t *weights, const int8_t *patches, int32_t runs,
                                              const int32_t *records, int32_t count, int8_t *output,
                                              int8_t *next_output, int32_t low, int32_t high)
{
    convolve_two(weights, patches, runs, records, count, output, next_output, low, high, SHIFTS_RIGHT);
}
