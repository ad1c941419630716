/* 3x3 windows of stride 1 by Winograd's F(2x2, 3x3) (Lavin and Gray 2016, arXiv:1509.09308): a tile d of 4x4 inputs
 * and weights g make 2x2 outputs with 16 products a channel, where the window by itself takes 36:
 *
 *     A' [ (G g G') x (B' d B) ] A,   ' transposed, x element by element, summed over channels before A' and A.
 *
 * A and B hold 0, 1 and -1. G holds halves: the compiler stores 2G g 2G', and four times the sum comes out.
 * It is exact. Four int8 make an element of B' d B, nine weights one of 2G g 2G': both fit 16 bits whatever they are.
 * Later sums are taken modulo 2^32, where they may pass through any value: only four times the sum must fit, which
 * the compiler has checked. Two tiles lie side by side, so that each weight that is loaded is multiplied twice. */

/* Both tiles' parts of a row of 6 pixels: two channels each. */
EDGEPRUNE_INLINE void put_winograd_row(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t *target)
{
    target = store_two(target, subtract_pairs(a, c), subtract_pairs(c, e));
    target = store_two(target, add_pairs(b, c), add_pairs(d, e));
    target = store_two(target, subtract_pairs(c, b), subtract_pairs(e, d));
    (void)store_two(target, subtract_pairs(b, d), subtract_pairs(d, f));
}

/* B' d B of both tiles, from 4 rows of 6 pixels: of each pair of channels the 16 elements, a word of each tile. The last
 * four channels are read whole, some a second time if they are no multiple of four; those have no weights. */
static void winograd_inputs(const int8_t *const pixels[24], int32_t channels, int32_t *inputs)
{
    for (int32_t i = 0; i < channels; i += 4) {
        const int32_t channel = (i + 4 <= channels) ? i : channels - 4;
        for (int32_t y = 0; y < 4; ++y) {
            const int8_t *const *const row = &pixels[6 * y];
            const int32_t a = load_bytes(&row[0][channel]), b = load_bytes(&row[1][channel]);
            const int32_t c = load_bytes(&row[2][channel]), d = load_bytes(&row[3][channel]);
            const int32_t e = load_bytes(&row[4][channel]), f = load_bytes(&row[5][channel]);
            put_winograd_row(sxtb16(a), sxtb16(b), sxtb16(c), sxtb16(d), sxtb16(e), sxtb16(f), &inputs[8 * y]);
            put_winograd_row(sxtb16_ror8(a), sxtb16_ror8(b), sxtb16_ror8(c), sxtb16_ror8(d), sxtb16_ror8(e),
                             sxtb16_ror8(f), &inputs[32 + 8 * y]);
        }
        for (int32_t pair = 0; pair < 2; ++pair) {
            for (int32_t x = 0; x < 8; ++x) {
                const int32_t a = inputs[0], b = inputs[8], c = inputs[16], d = inputs[24];
                inputs[0] = subtract_pairs(a, c);
                inputs[8] = add_pairs(b, c);
                inputs[16] = subtract_pairs(c, b);
                inputs[24] = subtract_pairs(b, d);
                ++inputs;
            }
            inputs += 24;
        }
    }
}

struct winograd_sums {
    int32_t a0, a1, b0, b1, c0, c1, d0, d1;
};

/* Two output channels: each of two words of weights times a word of both tiles. */
EDGEPRUNE_INLINE const int32_t *add_two_winograd(const int32_t *weights, int32_t x0, int32_t x1, int32_t *a0, int32_t *a1,
                                                 int32_t *b0, int32_t *b1)
{
    int32_t a, b;
    weights = load_two(weights, &a, &b);
    *a0 = smlad(a, x0, *a0);
    *a1 = smlad(a, x1, *a1);
    *b0 = smlad(b, x0, *b0);
    *b1 = smlad(b, x1, *b1);
    return weights;
}

EDGEPRUNE_INLINE void add_pair_winograd(const int32_t **weights, const int32_t **inputs, struct winograd_sums *sums)
{
    const int32_t x0 = (*inputs)[0], x1 = (*inputs)[1];
    *inputs += 32;
    *weights = add_two_winograd(*weights, x0, x1, &sums->a0, &sums->a1, &sums->b0, &sums->b1);
    *weights = add_two_winograd(*weights, x0, x1, &sums->c0, &sums->c1, &sums->d0, &sums->d1);
}

/* The products of each of the 16 elements, summed over channels: of four output channels, of both tiles. */
static void winograd_multiply(const int32_t *weights, const int32_t *inputs, int32_t pairs, int32_t sums[128])
{
    for (int32_t i = 0; i < 16; ++i) {
        struct winograd_sums s = {0, 0, 0, 0, 0, 0, 0, 0};
        const int32_t *at = &inputs[2 * i];
        const int32_t *const last = &at[32 * (pairs & ~3)];
        while (at != last) {
            add_pair_winograd(&weights, &at, &s);
            add_pair_winograd(&weights, &at, &s);
            add_pair_winograd(&weights, &at, &s);
            add_pair_winograd(&weights, &at, &s);
        }
        if ((pairs & 2) != 0) {
            add_pair_winograd(&weights, &at, &s);
            add_pair_winograd(&weights, &at, &s);
        }
        sums[0] = s.a0;
        sums[1] = s.a1;
        sums[2] = s.b0;
        sums[3] = s.b1;
        sums[4] = s.c0;
        sums[5] = s.c1;
        sums[6] = s.d0;
        sums[7] = s.d1;
        sums += 8;
    }
}

/* A' of four numbers in a row or column. */
EDGEPRUNE_INLINE void fold_winograd(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t *first, uint32_t *second)
{
    *first = a + b + c;
    *second = b - c - d;
}

/* A' M A of one channel of one tile, where elements of M are 8 numbers apart: four times the sums of 2x2 pixels. */
EDGEPRUNE_INLINE void winograd_outputs(const int32_t *sums, int32_t quadruples[4])
{
    const uint32_t *const m = (const uint32_t *)sums;
    uint32_t a, b, c, d, e, f, g, h, first, second;
    fold_winograd(m[0], m[32], m[64], m[96], &a, &e);
    fold_winograd(m[8], m[40], m[72], m[104], &b, &f);
    fold_winograd(m[16], m[48], m[80], m[112], &c, &g);
    fold_winograd(m[24], m[56], m[88], m[120], &d, &h);
    fold_winograd(a, b, c, d, &first, &second);
    quadruples[0] = (int32_t)first;
    quadruples[1] = (int32_t)second;
    fold_winograd(e, f, g, h, &first, &second);
    quadruples[2] = (int32_t)first;
    quadruples[3] = (int32_t)second;
}
