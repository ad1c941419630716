/* One output channel of eight pixels on cores without vectors: two inputs share a word as x + 65536 * y, so that
 * one product serves two pixels. Weights come in parts, each after its length, up to a length of 0: the compiler
 * has made them so short that no sum of a part outgrows 16 bits. Parts start at 0x8000 in either half, so that
 * neither is ever negative; the channel's bias takes that back. Returns where the next channel's weights begin. */
#if defined(EDGEPRUNE_NAKED)
#define EDGEPRUNE_TAKE_PRODUCT(word, sum) \
    "muls " word ", r4\n"                 \
    "add " sum ", " word "\n"
/* The whole sum of a part to one sum, its upper half to the next. */
#define EDGEPRUNE_TAKE_PART(part, whole, upper) \
    "mov r4, " part "\n"                        \
    "adds " whole ", r4\n"                      \
    "lsrs r4, r4, #16\n"                        \
    "adds " upper ", r4\n"
#define EDGEPRUNE_TAKE_LOWER(whole, upper) \
    "lsls r4, " upper ", #16\n"            \
    "subs " whole ", r4\n"

EDGEPRUNE_NAKED const int8_t *dot_1x8(EDGEPRUNE_ARGUMENT const int8_t *weights,
                                      EDGEPRUNE_ARGUMENT const int32_t *patches, EDGEPRUNE_ARGUMENT int32_t sums[8])
{
    /* r0-r3: four words; r4: a weight; r5: patches; r6: weights; r7: minus the weights left; r8-r11: the sums of
     * the part; r12: sums; lr: where parts start. */
    __asm__(
        ".syntax unified\n"
        "push {r4-r7, lr}\n"
        "mov r4, r8\n"
        "mov r5, r9\n"
        "mov r6, r10\n"
        "mov r7, r11\n"
        "push {r4-r7}\n"
        "mov r12, r2\n"
        "mov r5, r1\n"
        "mov r6, r0\n"
        "movs r0, #1\n"
        "lsls r0, r0, #15\n"
        "lsls r1, r0, #16\n"
        "adds r0, r0, r1\n"
        "mov lr, r0\n"
        "movs r0, #0\n"
        "movs r1, #0\n"
        "movs r3, #0\n"
        "movs r4, #0\n"
        "stmia r2!, {r0, r1, r3, r4}\n"
        "stmia r2!, {r0, r1, r3, r4}\n"
        "1: ldrb r7, [r6]\n"
        "adds r6, #1\n"
        "cmp r7, #0\n"
        "beq 3f\n"
        "adds r6, r6, r7\n"
        "negs r7, r7\n"
        "mov r8, lr\n"
        "mov r9, lr\n"
        "mov r10, lr\n"
        "mov r11, lr\n"
        "2: ldrsb r4, [r6, r7]\n"
        "ldmia r5!, {r0-r3}\n"
        EDGEPRUNE_TAKE_PRODUCT("r0", "r8")
        EDGEPRUNE_TAKE_PRODUCT("r1", "r9")
        EDGEPRUNE_TAKE_PRODUCT("r2", "r10")
        EDGEPRUNE_TAKE_PRODUCT("r3", "r11")
        "adds r7, #1\n"
        "bne 2b\n"
        "mov r7, r12\n"
        "ldmia r7!, {r0-r3}\n"
        EDGEPRUNE_TAKE_PART("r8", "r0", "r1")
        EDGEPRUNE_TAKE_PART("r9", "r2", "r3")
        "subs r7, #16\n"
        "stmia r7!, {r0-r3}\n"
        "ldmia r7!, {r0-r3}\n"
        EDGEPRUNE_TAKE_PART("r10", "r0", "r1")
        EDGEPRUNE_TAKE_PART("r11", "r2", "r3")
        "subs r7, #16\n"
        "stmia r7!, {r0-r3}\n"
        "b 1b\n"
        "3: mov r7, r12\n"
        "ldmia r7!, {r0-r3}\n"
        EDGEPRUNE_TAKE_LOWER("r0", "r1")
        EDGEPRUNE_TAKE_LOWER("r2", "r3")
        "subs r7, #16\n"
        "stmia r7!, {r0-r3}\n"
        "ldmia r7!, {r0-r3}\n"
        EDGEPRUNE_TAKE_LOWER("r0", "r1")
        EDGEPRUNE_TAKE_LOWER("r2", "r3")
        "subs r7, #16\n"
        "stmia r7!, {r0-r3}\n"
        "mov r0, r6\n"
        "pop {r4-r7}\n"
        "mov r8, r4\n"
        "mov r9, r5\n"
        "mov r10, r6\n"
        "mov r11, r7\n"
        "pop {r4-r7, pc}\n");
}
#else
static const int8_t *dot_1x8(const int8_t *weights, const int32_t *patches, int32_t sums[8])
{
    const uint32_t *words = (const uint32_t *)patches;
    for (int32_t lane = 0; lane < 8; ++lane) {
        sums[lane] = 0;
    }
    for (int32_t left = (uint8_t)*weights++; left != 0; left = (uint8_t)*weights++) {
        uint32_t parts[4] = {0x80008000U, 0x80008000U, 0x80008000U, 0x80008000U};
        for (; left > 0; --left) {
            const uint32_t weight = (uint32_t)(int32_t)*weights;
            ++weights;
            parts[0] += words[0] * weight;
            parts[1] += words[1] * weight;
            parts[2] += words[2] * weight;
            parts[3] += words[3] * weight;
            words += 4;
        }
        for (int32_t word = 0; word < 4; ++word) {
            sums[2 * word] += (int32_t)(parts[word] & 0xFFFFU);
            sums[2 * word + 1] += (int32_t)(parts[word] >> 16);
        }
    }
    return weights;
}
#endif
