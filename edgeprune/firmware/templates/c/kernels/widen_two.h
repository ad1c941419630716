/* The inputs of two pixels as 16-bit lanes; words of both take turns. */
EDGEPRUNE_INLINE int32_t *put_four(int32_t bytes, int32_t next_bytes, int32_t *target)
{
    target = store_two(target, sxtb16(bytes), sxtb16(next_bytes));
    return store_two(target, sxtb16_ror8(bytes), sxtb16_ror8(next_bytes));
}

static int32_t *widen_two(const int8_t *source, const int8_t *next, int32_t *target, int32_t words)
{
    int32_t left = words;
    for (; left >= 2; left -= 2) {
        target = put_four(load_bytes(source), load_bytes(next), target);
        target = put_four(load_bytes(&source[4]), load_bytes(&next[4]), target);
        source += 8;
        next += 8;
    }
    if (left != 0) {
        target = put_four(load_bytes(source), load_bytes(next), target);
    }
    return target;
}
