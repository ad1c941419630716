/* Runs of bytes, moved and filled without a library. */
static inline void copy_bytes(void *to, const void *from, int32_t count)
{
    int8_t *target = (int8_t *)to;
    const int8_t *source = (const int8_t *)from;
    for (int32_t i = 0; i < count; ++i) {
        target[i] = source[i];
    }
}

static inline void fill_bytes(int8_t *target, int8_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        target[i] = value;
    }
}
