/* One channel of a row of pixels. */
static inline void widen_column(const int8_t *source, int32_t stride, int16_t *target, int32_t count)
{
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        target[0] = source[0];
        target[1] = source[stride];
        target[2] = source[2 * stride];
        target[3] = source[3 * stride];
        source += 4 * stride;
        target += 4;
    }
    for (; i < count; ++i) {
        *target = *source;
        source += stride;
        ++target;
    }
}
