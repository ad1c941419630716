/* Adds the sums of a part of the inputs to totals: for each channel, both pixels. */
static void add_sums_4x2(const int32_t *weights, const int32_t *patches, int32_t pairs, int32_t totals[8])
{
    const struct sums_4x2 sums = dot_4x2(&weights, patches, pairs);
    totals[0] += sums.a0;
    totals[1] += sums.a1;
    totals[2] += split_once(sums.ab0, sums.a0);
    totals[3] += split_once(sums.ab1, sums.a1);
    totals[4] += sums.c0;
    totals[5] += sums.c1;
    totals[6] += split_once(sums.cd0, sums.c0);
    totals[7] += split_once(sums.cd1, sums.c1);
}
