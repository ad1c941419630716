/* The sums of eight output channels. */
static void set_sums_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups, int32_t totals[8])
{
    dot_8x1(weights, inputs, groups, totals);
    totals[1] = split_once(totals[1], totals[0]);
    totals[3] = split_once(totals[3], totals[2]);
    totals[5] = split_once(totals[5], totals[4]);
    totals[7] = split_once(totals[7], totals[6]);
}
