/* A pixel's inputs into one half of every second word. */
static int32_t *put_half(int32_t *target, const int8_t *source, int32_t step, int32_t count, int32_t is_high)
{
    for (int32_t i = 0; i < count; ++i) {
        *target = (is_high != 0) ? *target + *source * 65536 : *source;
        source += step;
        target += 2;
    }
    return target;
}
