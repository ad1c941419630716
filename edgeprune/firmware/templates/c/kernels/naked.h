/* On Armv6-M only ADD and MOV reach the upper half of the registers, and compilers leave it unused; there the
 * innermost loops are written by hand. */
#if (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)) && defined(__GNUC__)
#define EDGEPRUNE_NAKED static __attribute__((naked, noinline))
#define EDGEPRUNE_ARGUMENT __attribute__((unused)) /* The compiler does not see that assembly uses it. */
#endif
