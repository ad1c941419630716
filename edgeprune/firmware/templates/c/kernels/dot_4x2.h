/* Sums of products of four output channels with two pixels.
 *
 * `weights` holds two words for each pair of inputs, `patches` one word for each pixel. Channels A and B
 * share the lanes of a weight word as 256 * B + A: SXTB16 takes A out, and the sum of both less the sum of A
 * is 256 times the sum of B. That is exact while the sum of B has 24 bits, which the compiler has checked. */
struct sums_4x2 {
    int32_t a0, a1, ab0, ab1, c0, c1, cd0, cd1;
};

EDGEPRUNE_INLINE void add_pair_4x2(const int32_t **weights, const int32_t **patches, struct sums_4x2 *sums)
{
    int32_t x0, x1, ab, cd;
    *patches = load_two(*patches, &x0, &x1);
    *weights = load_two(*weights, &ab, &cd);
    sums->ab0 = smlad(ab, x0, sums->ab0);
    sums->ab1 = smlad(ab, x1, sums->ab1);
    const int32_t a = sxtb16(ab);
    sums->a0 = smlad(a, x0, sums->a0);
    sums->a1 = smlad(a, x1, sums->a1);
    sums->cd0 = smlad(cd, x0, sums->cd0);
    sums->cd1 = smlad(cd, x1, sums->cd1);
    const int32_t c = sxtb16(cd);
    sums->c0 = smlad(c, x0, sums->c0);
    sums->c1 = smlad(c, x1, sums->c1);
}

/* `pairs` is even. `weights` moves on to what comes after them. */
EDGEPRUNE_INLINE struct sums_4x2 dot_4x2(const int32_t **weights, const int32_t *patches, int32_t pairs)
{
    struct sums_4x2 sums = {0, 0, 0, 0, 0, 0, 0, 0};
    const int32_t *const last = &patches[2 * (pairs & ~3)];
    while (patches != last) {
        add_pair_4x2(weights, &patches, &sums);
        add_pair_4x2(weights, &patches, &sums);
        add_pair_4x2(weights, &patches, &sums);
        add_pair_4x2(weights, &patches, &sums);
    }
    if ((pairs & 2) != 0) {
        add_pair_4x2(weights, &patches, &sums);
        add_pair_4x2(weights, &patches, &sums);
    }
    return sums;
}
