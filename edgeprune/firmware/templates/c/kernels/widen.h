/* int8 inputs as 16-bit lanes: of four neighbours the first word takes 0 and 2, the next one 1 and 3, as
 * SXTB16 leaves them. */
static inline int32_t *widen(const int8_t *source, int32_t *target, int32_t words)
{
    for (int32_t i = 0; i < words; ++i) {
        const int32_t bytes = load_bytes(source);
        source += 4;
        target = store_two(target, sxtb16(bytes), sxtb16_ror8(bytes));
    }
    return target;
}

/* The same for what is left of a row, 1 to 3 bytes. */
static inline void widen_rest(const int8_t *source, int32_t *target, int32_t count)
{
    int8_t four[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; ++i) {
        four[i] = source[i];
    }
    (void)widen(four, target, 1);
}
