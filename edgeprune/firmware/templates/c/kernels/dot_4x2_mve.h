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
     * first two start with the second. Registers are named, because compilers that keep R7 for themselves find none. */
    register int32_t a0 __asm__("r0");
    register int32_t b0 __asm__("r2");
    register int32_t c0 __asm__("r4");
    register int32_t d0 __asm__("r6");
    register int32_t a1 __asm__("r8");
    register int32_t b1 __asm__("r10");
    register int32_t c1 __asm__("r12");
    register int32_t d1 __asm__("r14");
    register const int8_t *place __asm__("r1") = weights;
    register const int8_t *first __asm__("r3") = pixel;
    register const int8_t *second __asm__("r5") = next;
    register int32_t left __asm__("r9") = runs;
    __asm__ volatile(EDGEPRUNE_ONE_RUN("vmladav")
                     "lsrs %[left], %[left], #1\n\t"
                     "bcc 2f\n\t"
                     "beq 3f\n"
                     "1:\n\t" EDGEPRUNE_ONE_RUN("vmladava")
                     "2:\n\t" EDGEPRUNE_ONE_RUN("vmladava")
                     "subs %[left], %[left], #1\n\t"
                     "bne 1b\n"
                     "3:"
                     : [weights] "+&r"(place), [pixel] "+&r"(first), [next] "+&r"(second), [left] "+&r"(left),
                       [a0] "=&r"(a0), [b0] "=&r"(b0), [c0] "=&r"(c0), [d0] "=&r"(d0), [a1] "=&r"(a1),
                       [b1] "=&r"(b1), [c1] "=&r"(c1), [d1] "=&r"(d1)
                     :
                     : "q0", "q1", "q2", "q3", "cc", "memory");
    weights = place;
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
