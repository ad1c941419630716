/* Sums of products of four output channels with two pixels. Of each run of 16 inputs `weights` holds those of four
 * channels, one after the other; what comes after them is returned. */
#if defined(__ARM_FEATURE_MVE)
/* One run: VMLADAV sets the eight sums, VMLADAVA adds to them. Each load but the first stands before a product that
 * does not wait for it. */
#define EDGEPRUNE_ONE_RUN(vmladav) \
    "vldrb.u8 q0, [%[pixel]], #16\n\t" \
    "vldrb.u8 q2, [%[weights]], #16\n\t" \
    vmladav ".s8 %[a0], q2, q0\n\t" \
    "vldrb.u8 q1, [%[next]], #16\n\t" \
    vmladav ".s8 %[a1], q2, q1\n\t" \
    "vldrb.u8 q3, [%[weights]], #16\n\t" \
    vmladav ".s8 %[b0], q3, q0\n\t" \
    "vldrb.u8 q2, [%[weights]], #16\n\t" \
    vmladav ".s8 %[b1], q3, q1\n\t" \
    vmladav ".s8 %[c0], q2, q0\n\t" \
    "vldrb.u8 q3, [%[weights]], #16\n\t" \
    vmladav ".s8 %[c1], q2, q1\n\t" \
    vmladav ".s8 %[d0], q3, q0\n\t" \
    vmladav ".s8 %[d1], q3, q1\n\t"
#endif

EDGEPRUNE_INLINE const int8_t *dot_4x2_mve(const int8_t *weights, const int8_t *pixel, const int8_t *next,
                                           int32_t runs, int32_t sums[4], int32_t next_sums[4])
{
#if defined(__ARM_FEATURE_MVE)
    /* Sums of VMLADAV lie in registers of even numbers, of which there are eight: this takes all of them, and so has
     * no LE, which would count in LR. The first run comes alone, then two at a time; if that is one too many, the
     * first two start with the second. */
    int32_t a0, b0, c0, d0, a1, b1, c1, d1;
    __asm__ volatile(EDGEPRUNE_ONE_RUN("vmladav")
                     "lsrs %[runs], %[runs], #1\n\t"
                     "bcc 2f\n\t"
                     "beq 3f\n"
                     "1:\n\t" EDGEPRUNE_ONE_RUN("vmladava")
                     "2:\n\t" EDGEPRUNE_ONE_RUN("vmladava")
                     "subs %[runs], %[runs], #1\n\t"
                     "bne 1b\n"
                     "3:"
                     : [weights] "+&r"(weights), [pixel] "+&r"(pixel), [next] "+&r"(next), [runs] "+&r"(runs),
                       [a0] "=&Te"(a0), [b0] "=&Te"(b0), [c0] "=&Te"(c0), [d0] "=&Te"(d0), [a1] "=&Te"(a1),
                       [b1] "=&Te"(b1), [c1] "=&Te"(c1), [d1] "=&Te"(d1)
                     :
                     : "q0", "q1", "q2", "q3", "cc", "memory");
    sums[0] = a0, sums[1] = b0, sums[2] = c0, sums[3] = d0;
    next_sums[0] = a1, next_sums[1] = b1, next_sums[2] = c1, next_sums[3] = d1;
#else
    for (int32_t i = 0; i < 4; ++i) {
        sums[i] = 0;
        next_sums[i] = 0;
    }
    for (int32_t i = 0; i < 64 * runs; ++i) {
        const int32_t place = i / 64 * 16 + i % 16;
        sums[i / 16 % 4] += weights[i] * pixel[place];
        next_sums[i / 16 % 4] += weights[i] * next[place];
    }
    weights += 64 * runs;
#endif
    return weights;
}
