/* As dot_1x8, for weights most of which are 0: each weight comes after how many zeros there are before it, each part
 * after its length. */
#if defined(EDGEPRUNE_NAKED)
EDGEPRUNE_NAKED const int8_t *dot_sparse_1x8(EDGEPRUNE_ARGUMENT const int8_t *weights,
                                             EDGEPRUNE_ARGUMENT const int32_t *patches,
                                             EDGEPRUNE_ARGUMENT int32_t sums[8])
{
    EDGEPRUNE_DOT_1X8("ldrb r7, [r6]\n"
                      "adds r6, #1\n"
                      "lsls r7, r7, #1\n"
                      "beq 3f\n",
                      "ldrb r0, [r6, r7]\n"
                      "adds r7, #1\n"
                      "lsls r0, r0, #4\n"
                      "adds r5, r5, r0\n");
}
#else
static const int8_t *dot_sparse_1x8(const int8_t *weights, const int32_t *patches, int32_t sums[8])
{
    const uint32_t *words = (const uint32_t *)patches;
    start_sums(sums);
    for (int32_t left = (uint8_t)*weights++; left != 0; left = (uint8_t)*weights++) {
        uint32_t a = 0x80008000U;
        uint32_t b = 0x80008000U;
        uint32_t c = 0x80008000U;
        uint32_t d = 0x80008000U;
        for (const int8_t *const end = &weights[2 * left]; weights != end; weights += 2) {
            words += 4 * (uint8_t)weights[0];
            const uint32_t weight = (uint32_t)(int32_t)weights[1];
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
    return weights;
}
#endif
