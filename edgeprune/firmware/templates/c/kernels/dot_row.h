/* The sum of products of one row, four at a time. */
static int32_t dot_row(const int8_t *weights, const int8_t *inputs, int32_t count)
{
    int32_t sum = 0;
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        sum += weights[i] * inputs[i] + weights[i + 1] * inputs[i + 1];
        sum += weights[i + 2] * inputs[i + 2] + weights[i + 3] * inputs[i + 3];
    }
    for (; i < count; ++i) {
        sum += weights[i] * inputs[i];
    }
    return sum;
}
