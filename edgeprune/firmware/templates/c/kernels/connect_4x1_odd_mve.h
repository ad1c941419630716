/* For channels whose records have the other form. */
static void connect_4x1_odd_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                                const int32_t *records, int8_t *output, int32_t low, int32_t high)
{
    connect_4x1(weights, inputs, count, records, output, low, high, SHIFTS_EITHER_WAY);
}
