/* Two inputs in a word, so that one product multiplies both. */
EDGEPRUNE_INLINE int32_t join_two(int32_t low, int32_t high)
{
    return low + high * 65536;
}
