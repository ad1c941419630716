/* 1 / sqrt(value) as factor / 2^31 * 2^shift: five steps of Newton and Raphson from 1, in Q3.28; of less than 2
 * as of 1. */
static inline int32_t inverse_square_root(int32_t value, int32_t *shift)
{
    if (value <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    int32_t right = 11;
    for (; value >= (1 << 29); value /= 4) {
        ++right;
    }
    for (; value < (1 << 27); value *= 4) {
        --right;
    }
    const int32_t half = value >> 1;
    const int32_t quarter = divide_by_power_of_two(half, 1);
    int32_t x = 1 << 28;
    for (int32_t step = 0; step < 5; ++step) {
        /* Products of Q3.28 are Q6.25, and of three Q9.22. */
        const int32_t cube = multiply_high(multiply_high(x, x), x) * (1 << 6);
        x = (multiply_high((1 << 28) + (1 << 27), x) - multiply_high(quarter, cube)) * (1 << 3);
    }
    const int32_t root = multiply_high(x, 1518500250); /* sqrt(1/2) */
    *shift = (right < 0) ? 0 : -right;
    return (right < 0) ? root * (1 << -right) : root;
}
