/* int8 inputs as 16-bit lanes: of four neighbours the first word takes 0 and 2, the next one 1 and 3, as
 * SXTB16 leaves them. Words lie `stride` apart, so that two pixels can take turns. */
static inline int32_t *widen(const int8_t *source, int32_t *target, int32_t stride, int32_t words)
{
    for (int32_t i = 0; i < words; ++i) {
        int32_t bytes;
        memcpy(&bytes, source, sizeof bytes);
        source += 4;
        target[0] = sxtb16(bytes);
        target[stride] = sxtb16((int32_t)(((uint32_t)bytes >> 8) | ((uint32_t)bytes << 24)));
        target += 2 * stride;
    }
    return target;
}

/* The same for what is left of a row, 1 to 3 bytes. */
static inline void widen_rest(const int8_t *source, int32_t *target, int32_t stride, int32_t count)
{
    int8_t four[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; ++i) {
        four[i] = source[i];
    }
    (void)widen(four, target, stride, 1);
}

static inline int32_t *fill_lanes(int32_t *target, int32_t stride, int32_t value, int32_t words)
{
    for (int32_t i = 0; i < 2 * words; ++i) {
        *target = pack_pair(value, value);
        target += stride;
    }
    return target;
}
