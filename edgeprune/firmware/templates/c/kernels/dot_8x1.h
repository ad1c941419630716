/* As dot_4x2, for eight output channels and one row of inputs, which SXTB16 makes lanes of on the way: four
 * words of weights for each pair of inputs. */
struct sums_8x1 {
    int32_t a, ab, c, cd, e, ef, g, gh;
};

/* The sums of products of groups of four inputs, at least one. */
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32) && defined(__GNUC__)
#define EDGEPRUNE_TAKE_TWO_PAIRS(a, ab, c, cd)   \
    "ldrd r2, lr, [r0], #8\n"                    \
    "smlad " ab ", r2, r12, " ab "\n"            \
    "smlad " cd ", lr, r12, " cd "\n"            \
    "sxtb16 r2, r2\n"                            \
    "sxtb16 lr, lr\n"                            \
    "smlad " a ", r2, r12, " a "\n"              \
    "smlad " c ", lr, r12, " c "\n"
#define EDGEPRUNE_TAKE_EIGHT                             \
    EDGEPRUNE_TAKE_TWO_PAIRS("r3", "r4", "r5", "r6")     \
    EDGEPRUNE_TAKE_TWO_PAIRS("r7", "r8", "r9", "r10")
#define EDGEPRUNE_TAKE_GROUP        \
    "ldr r11, [r1], #4\n"           \
    "sxtb16 r12, r11\n"             \
    EDGEPRUNE_TAKE_EIGHT            \
    "sxtb16 r12, r11, ror #8\n"     \
    EDGEPRUNE_TAKE_EIGHT

/* All registers are taken; compilers run out of them, and move sums to and fro. */
static __attribute__((naked, noinline)) void dot_8x1(__attribute__((unused)) const int32_t *weights,
                                                     __attribute__((unused)) const int8_t *inputs,
                                                     __attribute__((unused)) int32_t groups,
                                                     __attribute__((unused)) struct sums_8x1 *sums)
{
    /* r0: weights; r1: inputs; r2, lr: two words of weights; r3 to r10: sums; r11: four inputs; r12: two of them. On
     * the stack: the end of the inputs, and where the sums go. The loop of four groups, of 124 bytes of code each, is
     * entered where it leaves a whole number of turns. */
    __asm__(
        ".syntax unified\n"
        "push {r3-r11, lr}\n"
        "add r3, r1, r2, lsl #2\n"
        "push {r3}\n"
        "rsb r2, r2, #0\n"
        "and r2, r2, #3\n"
        "movs r3, #124\n"
        "adr.w r11, 1f\n"
        "mla r11, r2, r3, r11\n"
        "orr r11, r11, #1\n"
        "movs r3, #0\n"
        "movs r4, #0\n"
        "movs r5, #0\n"
        "movs r6, #0\n"
        "movs r7, #0\n"
        "mov r8, r3\n"
        "mov r9, r3\n"
        "mov r10, r3\n"
        "bx r11\n"
        ".balign 4\n"
        "1:\n"
        EDGEPRUNE_TAKE_GROUP
        EDGEPRUNE_TAKE_GROUP
        EDGEPRUNE_TAKE_GROUP
        EDGEPRUNE_TAKE_GROUP
        "ldr r2, [sp]\n"
        "cmp r1, r2\n"
        "bne.w 1b\n"
        "pop {r1, r2}\n"
        "stmia r2, {r3-r10}\n"
        "pop {r4-r11, pc}\n");
}
#else
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

static void dot_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups, struct sums_8x1 *sums)
{
    *sums = (struct sums_8x1){0, 0, 0, 0, 0, 0, 0, 0};
    for (const int8_t *const last = &inputs[4 * groups]; inputs != last; inputs += 4) {
        const int32_t bytes = load_bytes(inputs);
        weights = add_pair_8x1(weights, sxtb16(bytes), sums);
        weights = add_pair_8x1(weights, sxtb16_ror8(bytes), sums);
    }
}
#endif
