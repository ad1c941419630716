/* As dot_4x2, for eight output channels and one row of inputs, which SXTB16 makes lanes of on the way: four
 * words of weights for each pair of inputs. */

/* Sums of products of groups of four inputs, at least one: of A, of A and B, of C, of C and D, and so on. */
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
                                                     __attribute__((unused)) int32_t sums[8])
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
static void dot_8x1(const int32_t *weights, const int8_t *inputs, int32_t groups, int32_t sums[8])
{
    for (int32_t i = 0; i < 8; ++i) {
        sums[i] = 0;
    }
    for (const int8_t *const last = &inputs[4 * groups]; inputs != last; inputs += 4) {
        const int32_t bytes = load_bytes(inputs);
        const int32_t lanes[2] = {sxtb16(bytes), sxtb16_ror8(bytes)};
        for (int32_t i = 0; i < 8; ++i, ++weights) {
            const int32_t x = lanes[i / 4];
            int32_t *const two = &sums[i % 4 * 2];
            two[0] = smlad(sxtb16(*weights), x, two[0]);
            two[1] = smlad(*weights, x, two[1]);
        }
    }
}
#endif
