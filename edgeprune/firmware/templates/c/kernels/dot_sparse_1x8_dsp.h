/* One output channel of eight pixels; each weight comes after how many zeros there are before it, at most 255 weights
 * after their number, up to a number of 0. Returns where the next channel's weights begin. */
static const int8_t *dot_sparse_1x8_dsp(const int8_t *weights, const int32_t *patches, int32_t sums[8])
{
    int32_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (int32_t left = (uint8_t)*weights; left != 0; left = (uint8_t)*weights) {
        const int8_t *entry = &weights[1];
        weights = &entry[2 * left];
        do {
            int32_t x, y;
            patches = load_two(&patches[4 * (uint8_t)entry[0]], &x, &y);
            const int32_t weight = entry[1];
            a = smlabb(x, weight, a);
            b = smlatb(x, weight, b);
            c = smlabb(y, weight, c);
            d = smlatb(y, weight, d);
            patches = load_two(patches, &x, &y);
            e = smlabb(x, weight, e);
            f = smlatb(x, weight, f);
            g = smlabb(y, weight, g);
            h = smlatb(y, weight, h);
            entry += 2;
        } while (entry != weights);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    sums[4] = e;
    sums[5] = f;
    sums[6] = g;
    sums[7] = h;
    return &weights[1];
}
