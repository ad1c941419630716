/* Four output channels of one row. */
EDGEPRUNE_INLINE void connect_4x1(const int8_t *weights, const int8_t *inputs, int32_t count,
                                  const int32_t *records, int8_t *output, int32_t low, int32_t high,
                                  enum edgeprune_form form)
{
    int32_t sums[4];
    dot_4x1_mve(weights, inputs, count, sums);
    put_four(sums, records, output, low, high, form);
}
