/* Two inputs in the lanes of a word. */
EDGEPRUNE_INLINE int32_t join_two(int32_t low, int32_t high)
{
    return pack_pair(low, high);
}
