/* The sums of eight output channels. */
static void set_sums_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups, int32_t totals[8])
{
    struct sums_8x1 sums;
    dot_8x1(weights, inputs, groups, &sums);
    totals[0] = sums.a;
    totals[1] = split_twice(sums.ab, sums.a) / 2;
    totals[2] = sums.c;
    totals[3] = split_twice(sums.cd, sums.c) / 2;
    totals[4] = sums.e;
    totals[5] = split_twice(sums.ef, sums.e) / 2;
    totals[6] = sums.g;
    totals[7] = split_twice(sums.gh, sums.g) / 2;
}
