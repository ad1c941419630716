/* Adds to the sums of eight output channels the products of one row. Of each input the weights of all eight lie
 * side by side, each greater by 128 than it is: bytes without a sign can be loaded at an offset on every core. */
#if defined(EDGEPRUNE_NAKED)
#define EDGEPRUNE_TAKE_WEIGHT(at, sum) \
    "ldrb r4, [r0, #" at "]\n"         \
    "muls r4, r5\n"                    \
    "add " sum ", r4\n"
#define EDGEPRUNE_TAKE_INPUT(a, b, c, d, e, f, g, h) \
    "ldrsb r5, [r1, r2]\n"                           \
    EDGEPRUNE_TAKE_WEIGHT(a, "r8")                   \
    EDGEPRUNE_TAKE_WEIGHT(b, "r9")                   \
    EDGEPRUNE_TAKE_WEIGHT(c, "r10")                  \
    EDGEPRUNE_TAKE_WEIGHT(d, "r11")                  \
    EDGEPRUNE_TAKE_WEIGHT(e, "r12")                  \
    EDGEPRUNE_TAKE_WEIGHT(f, "r3")                   \
    EDGEPRUNE_TAKE_WEIGHT(g, "r6")                   \
    EDGEPRUNE_TAKE_WEIGHT(h, "r7")

EDGEPRUNE_NAKED void dot_8x1_bytes(EDGEPRUNE_ARGUMENT const int8_t *weights,
                                   EDGEPRUNE_ARGUMENT const int8_t *inputs, EDGEPRUNE_ARGUMENT int32_t count,
                                   EDGEPRUNE_ARGUMENT int32_t sums[8])
{
    /* r0: weights; r1: the end of the inputs; r2: minus the inputs left; r4: a weight; r5: an input; r8 to r12, r3,
     * r6, r7: sums. */
    __asm__(
        ".syntax unified\n"
        "push {r4-r7, lr}\n"
        "mov r4, r8\n"
        "mov r5, r9\n"
        "mov r6, r10\n"
        "mov r7, r11\n"
        "push {r3-r7}\n"
        "ldmia r3!, {r4-r7}\n"
        "mov r8, r4\n"
        "mov r9, r5\n"
        "mov r10, r6\n"
        "mov r11, r7\n"
        "ldmia r3!, {r4-r7}\n"
        "mov r12, r4\n"
        "mov r3, r5\n"
        "adds r1, r1, r2\n"
        "negs r2, r2\n"
        "1: movs r4, #3\n"
        "tst r2, r4\n"
        "beq 2f\n"
        EDGEPRUNE_TAKE_INPUT("0", "1", "2", "3", "4", "5", "6", "7")
        "adds r0, #8\n"
        "adds r2, #1\n"
        "b 1b\n"
        "2: cmp r2, #0\n"
        "beq 4f\n"
        "3:\n"
        EDGEPRUNE_TAKE_INPUT("0", "1", "2", "3", "4", "5", "6", "7")
        "adds r2, #1\n"
        EDGEPRUNE_TAKE_INPUT("8", "9", "10", "11", "12", "13", "14", "15")
        "adds r2, #1\n"
        EDGEPRUNE_TAKE_INPUT("16", "17", "18", "19", "20", "21", "22", "23")
        "adds r2, #1\n"
        EDGEPRUNE_TAKE_INPUT("24", "25", "26", "27", "28", "29", "30", "31")
        "adds r0, #32\n"
        "adds r2, #1\n"
        "bne 3b\n"
        "4: pop {r4}\n"
        "mov r0, r8\n"
        "mov r1, r9\n"
        "mov r2, r10\n"
        "mov r5, r11\n"
        "stmia r4!, {r0, r1, r2, r5}\n"
        "mov r0, r12\n"
        "stmia r4!, {r0}\n"
        "stmia r4!, {r3, r6, r7}\n"
        "pop {r4-r7}\n"
        "mov r8, r4\n"
        "mov r9, r5\n"
        "mov r10, r6\n"
        "mov r11, r7\n"
        "pop {r4-r7, pc}\n");
}
#else
static void dot_8x1_bytes(const int8_t *weights, const int8_t *inputs, int32_t count, int32_t sums[8])
{
    /* Four at a time, as many as fit the registers of most cores. */
    for (int32_t half = 0; half < 8; half += 4) {
        const int8_t *weight = &weights[half];
        int32_t a = sums[half];
        int32_t b = sums[half + 1];
        int32_t c = sums[half + 2];
        int32_t d = sums[half + 3];
        for (int32_t i = 0; i < count; ++i, weight += 8) {
            a += (uint8_t)weight[0] * inputs[i];
            b += (uint8_t)weight[1] * inputs[i];
            c += (uint8_t)weight[2] * inputs[i];
            d += (uint8_t)weight[3] * inputs[i];
        }
        sums[half] = a;
        sums[half + 1] = b;
        sums[half + 2] = c;
        sums[half + 3] = d;
    }
}
#endif
