/* From reset to main, for any Cortex-M. The clock and the caches stay as reset leaves them. */
#include "startup.h"

#define VECTOR_TABLE (*(volatile uint32_t *)0xE000ED08)
#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88)

extern uint32_t data_begin[], data_end[], data_source[], bss_begin[], bss_end[], stack_top[];

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)stack_top,
    reset_handler,
    platform_report_fault, /* NMI */
    hard_fault,
    platform_report_fault, /* memory management */
    platform_report_fault, /* bus */
    platform_report_fault, /* usage */
    0,
    0,
    0,
    0,
    platform_report_fault, /* SVCall */
    platform_report_fault, /* debug monitor */
    0,
    platform_report_fault, /* PendSV */
    systick_handler,
};

void reset_handler(void)
{
    VECTOR_TABLE = (uint32_t)(uintptr_t)vectors; /* a boot loader may have left its own */
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    COPROCESSORS |= 0xFU << 20; /* the floating-point unit and MVE may be used */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    const uint32_t *source = data_source;
    for (uint32_t *word = data_begin; word < data_end; ++word) {
        *word = *source;
        ++source;
    }
    for (uint32_t *word = bss_begin; word < bss_end; ++word) {
        *word = 0;
    }
    platform_end(main());
}

/* Skips a semihosting breakpoint (0xBEAB) that nobody answered, by moving the stacked return address on. */
__attribute__((naked)) void hard_fault(void)
{
    __asm__ volatile(".syntax unified\n"
                     "    mrs   r0, msp\n"
                     "    ldr   r1, [r0, #24]\n"
                     "    ldrh  r2, [r1]\n"
                     "    ldr   r3, =0xBEAB\n"
                     "    cmp   r2, r3\n"
                     "    bne   1f\n"
                     "    adds  r1, #2\n"
                     "    str   r1, [r0, #24]\n"
                     "    bx    lr\n"
                     "1:  ldr   r3, =platform_report_fault\n"
                     "    bx    r3\n"
                     "    .ltorg\n");
}
