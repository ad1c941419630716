/* One output channel of eight pixels. Two parts come after a byte with the lengths of both, the first in its lower
 * half; a byte of 0 ends the channel. Returns where the next channel's weights begin. */
#if defined(EDGEPRUNE_NAKED)
EDGEPRUNE_NAKED const int8_t *dot_1x8(EDGEPRUNE_ARGUMENT const int8_t *weights,
                                      EDGEPRUNE_ARGUMENT const int32_t *patches, EDGEPRUNE_ARGUMENT int32_t sums[8])
{
    EDGEPRUNE_DOT_1X8("ldr r7, [sp]\n" /* the second length */
                      "cmp r7, #0\n"
                      "bne 4f\n"
                      "ldrb r7, [r6]\n"
                      "adds r6, #1\n"
                      "cmp r7, #0\n"
                      "beq 3f\n"
                      "lsrs r0, r7, #4\n"
                      "lsls r7, r7, #28\n"
                      "lsrs r7, r7, #28\n"
                      "b 5f\n"
                      "4: movs r0, #0\n"
                      "5: str r0, [sp]\n",
                      "");
}
#else
static const int8_t *dot_1x8(const int8_t *weights, const int32_t *patches, int32_t sums[8])
{
    const uint32_t *words = (const uint32_t *)patches;
    start_sums(sums);
    for (int32_t lengths = (uint8_t)*weights++; lengths != 0; lengths = (uint8_t)*weights++) {
        for (int32_t left = lengths; left != 0; left >>= 4) {
            uint32_t a = 0x80008000U;
            uint32_t b = 0x80008000U;
            uint32_t c = 0x80008000U;
            uint32_t d = 0x80008000U;
            for (const int8_t *const end = &weights[left & 15]; weights != end; ++weights) {
                const uint32_t weight = (uint32_t)(int32_t)*weights;
                a += words[0] * weight;
                b += words[1] * weight;
                c += words[2] * weight;
                d += words[3] * weight;
                words += 4;
            }
            put_part(a, &sums[0]);
            put_part(b, &sums[2]);
            put_part(c, &sums[4]);
            put_part(d, &sums[6]);
        }
    }
    return weights;
}
#endif
