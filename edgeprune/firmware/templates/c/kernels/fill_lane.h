/* One of two pixels where the window reaches beyond the image. */
static int32_t *fill_lane(int32_t *target, int32_t value, int32_t words)
{
    for (int32_t i = 0; i < 2 * words; ++i) {
        *target = pack_pair(value, value);
        target += 2;
    }
    return target;
}
