/* Runs of bytes, moved and filled without a library; four at a time where words may lie at any address. */
static inline void copy_bytes(void *to, const void *from, int32_t count)
{
    int8_t *target = (int8_t *)to;
    const int8_t *source = (const int8_t *)from;
    int32_t left = count;
#if defined(__ARM_FEATURE_UNALIGNED)
    for (; left >= 4; left -= 4, target += 4, source += 4) {
        (void)memcpy(target, source, 4);
    }
#endif
    for (int32_t i = 0; i < left; ++i) {
        target[i] = source[i];
    }
}

static inline void fill_bytes(int8_t *target, int8_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        target[i] = value;
    }
}
