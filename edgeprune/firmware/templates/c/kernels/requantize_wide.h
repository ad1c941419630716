/* A sum of 64 bits times multiplier / 2^15 * 2^shift, rounded to nearest. */
static inline int32_t rescale_wide(int64_t sum, int32_t multiplier, int32_t shift)
{
    const int32_t right = 15 - shift;
    return (int32_t)((sum * multiplier + (INT64_C(1) << (right - 1))) >> right);
}
