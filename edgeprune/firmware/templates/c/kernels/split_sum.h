/* The sum of B, from those of 256 * B + A and of A. */
static inline int32_t split_sum(int32_t both, int32_t low)
{
    return (int32_t)((uint32_t)both - (uint32_t)low) >> 8;
}
