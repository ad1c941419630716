/* As dot_4x2, for eight output channels and one row of inputs, which SXTB16 makes lanes of on the way: four
 * words of weights for each pair of inputs. */
struct sums_8x1 {
    int32_t a, ab, c, cd, e, ef, g, gh;
};

EDGEPRUNE_INLINE const int32_t *add_pair_8x1(const int32_t *weights, int32_t x, struct sums_8x1 *sums)
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

/* The sums of products of groups of four inputs. */
EDGEPRUNE_INLINE struct sums_8x1 dot_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups)
{
    struct sums_8x1 sums = {0, 0, 0, 0, 0, 0, 0, 0};
    if (groups % 2 != 0) {
        const int32_t bytes = load_bytes(inputs);
        weights = add_pair_8x1(weights, sxtb16(bytes), &sums);
        weights = add_pair_8x1(weights, sxtb16_ror8(bytes), &sums);
        inputs += 4;
    }
    for (const int8_t *const last = &inputs[groups / 2 * 8]; inputs != last; inputs += 8) {
        const int32_t bytes = load_bytes(inputs);
        weights = add_pair_8x1(weights, sxtb16(bytes), &sums);
        weights = add_pair_8x1(weights, sxtb16_ror8(bytes), &sums);
        const int32_t more = load_bytes(&inputs[4]);
        weights = add_pair_8x1(weights, sxtb16(more), &sums);
        weights = add_pair_8x1(weights, sxtb16_ror8(more), &sums);
    }
    return sums;
}
