/* A pixel's inputs into one half of every fourth word; the lower half comes first. */
static int32_t *put_half(int32_t *target, const int8_t *source, int32_t step, int32_t count, int32_t is_high)
{
    int32_t *const end = &target[4 * count];
    if (is_high == 0) {
        for (; target != end; target += 4, source += step) {
            *target = *source;
        }
    } else {
        for (; target != end; target += 4, source += step) {
            *target = join_two(*target, *source);
        }
    }
    return end;
}
