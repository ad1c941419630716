/* Adds the sums of a part of the inputs to totals, channel by channel. */
static void add_sums_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups, int32_t totals[8])
{
    int32_t sums[8];
    dot_8x1(weights, inputs, groups, sums);
    totals[0] += sums[0];
    totals[1] += split_once(sums[1], sums[0]);
    totals[2] += sums[2];
    totals[3] += split_once(sums[3], sums[2]);
    totals[4] += sums[4];
    totals[5] += split_once(sums[5], sums[4]);
    totals[6] += sums[6];
    totals[7] += split_once(sums[7], sums[6]);
}
