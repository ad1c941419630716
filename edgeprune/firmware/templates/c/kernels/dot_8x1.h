/* As dot_4x2, for eight output channels and one pixel: four words of weights for each pair of inputs. */
struct sums_8x1 {
    int32_t a, ab, c, cd, e, ef, g, gh;
};

static inline const int32_t *add_pair_8x1(const int32_t *weights, int32_t x, struct sums_8x1 *sums)
{
    int32_t ab, cd;
    weights = load_two(weights, &ab, &cd);
    sums->ab = smlad(ab, x, sums->ab);
    sums->a = smlad(sxtb16(ab), x, sums->a);
    sums->cd = smlad(cd, x, sums->cd);
    sums->c = smlad(sxtb16(cd), x, sums->c);
    weights = load_two(weights, &ab, &cd);
    sums->ef = smlad(ab, x, sums->ef);
    sums->e = smlad(sxtb16(ab), x, sums->e);
    sums->gh = smlad(cd, x, sums->gh);
    sums->g = smlad(sxtb16(cd), x, sums->g);
    return weights;
}

/* Adds to `sums`, channel by channel. `pairs` is even. */
static void dot_8x1(const int32_t *weights, const int32_t *inputs, int32_t pairs, int32_t sums[8])
{
    struct sums_8x1 s = {0, 0, 0, 0, 0, 0, 0, 0};
    const int32_t *const last = &inputs[pairs];
    while (inputs != last) {
        int32_t x0, x1;
        inputs = load_two(inputs, &x0, &x1);
        weights = add_pair_8x1(weights, x0, &s);
        weights = add_pair_8x1(weights, x1, &s);
    }
    sums[0] += s.a;
    sums[1] += split_twice(s.ab, s.a) / 2;
    sums[2] += s.c;
    sums[3] += split_twice(s.cd, s.c) / 2;
    sums[4] += s.e;
    sums[5] += split_twice(s.ef, s.e) / 2;
    sums[6] += s.g;
    sums[7] += split_twice(s.gh, s.g) / 2;
}
