/* The inputs of one of two pixels; the words between are the other's. */
static int32_t *widen_lane(const int8_t *source, int32_t *target, int32_t words)
{
    for (int32_t i = 0; i < words; ++i) {
        const int32_t bytes = load_bytes(source);
        source += 4;
        target[0] = sxtb16(bytes);
        target[2] = sxtb16_ror8(bytes);
        target += 4;
    }
    return target;
}
