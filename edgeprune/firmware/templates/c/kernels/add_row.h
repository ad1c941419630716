/* Three taps of a row for two neighbouring outputs, one pixel apart. */
static inline void add_row_stride_1(const int16_t *row, int32_t taps_01, int32_t taps_12, int32_t sums[2])
{
    const int32_t x01 = load_pair(row);
    const int32_t x23 = load_pair(&row[2]);
    sums[0] = smlabt(x23, taps_12, smlad(x01, taps_01, sums[0]));
    sums[1] = smlad(x23, taps_12, smlatb(x01, taps_01, sums[1]));
}

/* The same, two pixels apart. */
static inline void add_row_stride_2(const int16_t *row, int32_t taps_01, int32_t taps_12, int32_t sums[2])
{
    const int32_t x01 = load_pair(row);
    const int32_t x23 = load_pair(&row[2]);
    const int32_t x45 = load_pair(&row[4]);
    sums[0] = smlabt(x23, taps_12, smlad(x01, taps_01, sums[0]));
    sums[1] = smlabt(x45, taps_12, smlad(x23, taps_01, sums[1]));
}
