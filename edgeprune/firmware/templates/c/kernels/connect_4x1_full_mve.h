/* With nothing to clamp but the type. */
static void connect_4x1_full_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                                 const int32_t *records, int8_t *output)
{
    connect_4x1(weights, inputs, count, records, output, INT8_MIN, INT8_MAX, SHIFTS_RIGHT);
}
