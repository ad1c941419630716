/* Runs of bytes, moved and filled without a library; four at a time where words may lie at any address. */
static inline void copy_bytes(void *to, const void *from, int32_t count)
{
    int8_t *target = (int8_t *)to;
    const int8_t *source = (const int8_t *)from;
#if defined(__ARM_FEATURE_UNALIGNED)
    for (const int8_t *const last = &source[count & ~3]; source != last; source += 4, target += 4) {
        (void)memcpy(target, source, 4);
    }
    const int32_t left = count & 3;
#else
    const int32_t left = count;
#endif
    for (const int8_t *const last = &source[left]; source != last; ++source, ++target) {
        *target = *source;
    }
}

static inline void fill_bytes(int8_t *target, int8_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        target[i] = value;
    }
}
