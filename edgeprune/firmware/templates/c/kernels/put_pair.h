/* The inputs of two pixels, so many bytes apart, into every fourth word. */
static int32_t *put_pair(int32_t *target, const int8_t *source, int32_t apart, int32_t count)
{
    const int8_t *next = &source[apart];
    int32_t left = count;
    for (; left >= 4; left -= 4) {
        target[0] = join_two(source[0], next[0]);
        target[4] = join_two(source[1], next[1]);
        target[8] = join_two(source[2], next[2]);
        target[12] = join_two(source[3], next[3]);
        source += 4;
        next += 4;
        target += 16;
    }
    for (; left > 0; --left) {
        *target = join_two(*source, *next);
        ++source;
        ++next;
        target += 4;
    }
    return target;
}

static int32_t *fill_pair(int32_t *target, int32_t value, int32_t count)
{
    int32_t *const end = &target[4 * count];
    for (; target != end; target += 4) {
        *target = join_two(value, value);
    }
    return end;
}
