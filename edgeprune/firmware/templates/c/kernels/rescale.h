/* Scaling by multiplier / 2^31 * 2^shift, rounded twice, as TFLM's reference kernels do it. Right shifts of
 * negative numbers are arithmetic in every compiler for the cores at hand. */
static inline int32_t divide_by_power_of_two(int32_t value, int32_t exponent)
{
    const int32_t half = (int32_t)((UINT32_C(1) << exponent) >> 1);
    const int32_t is_negative = (value < 0) ? 1 : 0;
    return (exponent == 0) ? value : (int32_t)(((int64_t)value + half - is_negative) >> exponent);
}

static inline int32_t rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = (shift > 0) ? shift : 0;
    const int32_t right = (shift > 0) ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return divide_by_power_of_two(multiply_high(shifted, multiplier), right);
}
