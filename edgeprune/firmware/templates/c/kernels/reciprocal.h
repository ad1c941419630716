/* 1 / (1 + x) for x in [0, 1), both Q0.31: three steps of Newton and Raphson from 48/17 - 32/17 d, where
 * d = (1 + x) / 2, in Q2.29. */
static inline int32_t reciprocal_of_one_plus(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t quotient = 1515870810 + multiply_high(half, -1010580540);
    for (int32_t step = 0; step < 3; ++step) {
        const int32_t error = (1 << 29) - multiply_high(half, quotient);
        quotient += 4 * multiply_high(quotient, error);
    }
    return (quotient > (INT32_MAX >> 1)) ? INT32_MAX : 2 * quotient;
}
