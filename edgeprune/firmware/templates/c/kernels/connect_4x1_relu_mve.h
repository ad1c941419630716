/* The same where what is negative ends as INT8_MIN. */
static void connect_4x1_relu_mve(const int8_t *weights, const int8_t *inputs, int32_t count,
                                 const int32_t *records, int8_t *output)
{
    connect_4x1(weights, inputs, count, records, output, INT8_MIN, INT8_MAX, SHIFTS_RIGHT_OF_RELU);
}
