/* Twice the sum of B, from the sums of 256 * B + A and of A. */
EDGEPRUNE_INLINE int32_t split_twice(int32_t both, int32_t low)
{
    return (int32_t)((uint32_t)both - (uint32_t)low) >> 7;
}

/* The sum of B itself. */
EDGEPRUNE_INLINE int32_t split_once(int32_t both, int32_t low)
{
    return (int32_t)((uint32_t)both - (uint32_t)low) >> 8;
}
