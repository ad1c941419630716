/* The FPU of Armv8-M, and that of Armv7-M with double precision, round to the nearest in one instruction. */
#if defined(__GNUC__) && defined(__ARM_FP) && defined(__ARM_ARCH_PROFILE)
#if (__ARM_ARCH_PROFILE == 'M') && ((__ARM_ARCH >= 8) || ((__ARM_FP & 8) != 0))
#define EDGEPRUNE_ROUNDS_FLOATS 1
#endif
#endif
