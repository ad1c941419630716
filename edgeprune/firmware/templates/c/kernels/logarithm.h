static inline int32_t shift_saturating(int32_t value, int32_t by)
{
    const int32_t limit = (int32_t)((UINT32_C(0x80000000) >> by) - 1);
    const int32_t shifted = (int32_t)((uint32_t)value << by);
    const int32_t raised = (value < -limit) ? INT32_MIN : shifted;
    return (by == 0) ? value : ((value > limit) ? INT32_MAX : raised);
}

/* log(x) as Q5.26 for x >= 1, Q12.19: x is r * 2^n with r around sqrt(1/2), and log(r) is q * (r + a q^2) / d,
 * with q = 2 (r - sqrt(sqrt(1/2))), as gemmlowp's users have it. */
static inline int32_t log_of_at_least_one(int32_t x)
{
    enum { LOG_2 = 1488522236, ROOT_OF_HALF = 1518500250, FOURTH_ROOT_OF_HALF = 1805811301 };
    enum { QUARTER = 8388608 }; /* Q6.25 */
    const int32_t zeros = count_leading_zeros(x);
    const int32_t near = shift_saturating(multiply_high(shift_saturating(x, zeros - 1), ROOT_OF_HALF), 1);
    const int32_t zeros_of_root = count_leading_zeros(multiply_high(x, ROOT_OF_HALF)) - 1;
    const int32_t far = shift_saturating(x, zeros_of_root);
    const int32_t power_near = (12 - zeros) * (1 << 25) + QUARTER;
    const int32_t power_far = (12 - zeros_of_root) * (1 << 25) - QUARTER;
    const int32_t r = (near < far) ? near : far;
    const int32_t power = (power_near > power_far) ? power_near : power_far;
    const int64_t both = (int64_t)r + FOURTH_ROOT_OF_HALF;
    const int32_t middle = (int32_t)((both + 1) >> 1);
    const int32_t q = 2 * (r - FOURTH_ROOT_OF_HALF);
    const int32_t square = multiply_high(q, q);
    const int32_t numerator = multiply_high(q, r) + multiply_high(multiply_high(q, square), 117049297);
    const int32_t denominator =
        multiply_high(middle, 1057819769 + q + multiply_high(127690142, square)) + multiply_high(638450708, q);
    const int32_t fraction =
        multiply_high(divide_by_power_of_two(numerator, 6), reciprocal_of_one_plus(denominator));
    return shift_saturating(multiply_high(power, LOG_2) + fraction, 1);
}
