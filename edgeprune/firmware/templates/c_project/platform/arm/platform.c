/* Any Cortex-M: the console by semihosting, which an emulator or a debugger answers, ticks by SysTick. */
#include "platform.h"

#include "startup.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18, EXIT_OK = 0x20026, EXIT_ERROR = 0x20023 };
enum { SYSTICK_CONTROL, SYSTICK_RELOAD, SYSTICK_VALUE };
enum { RELOAD = 0xFFFFFF, PAINT = 0x5AA55AA5, PAINTED_WORDS = 4096, OWN_WORDS = 16 };

#define SYSTICK ((volatile uint32_t *)0xE000E010)

extern uint32_t stack_limit[];

/* Without emulator or debugger, a look at this tells how the check ended: 0 is PASS, 1 is FAIL. */
volatile int32_t edgeprune_exit_code = -1;

static volatile uint32_t wraps;
static uint32_t *painted_from;

/* Where nobody answers, the breakpoint ends in hard_fault, which skips it. */
static void semihost(uint32_t operation, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void platform_start(void)
{
    SYSTICK[SYSTICK_RELOAD] = RELOAD;
    SYSTICK[SYSTICK_VALUE] = 0;
    SYSTICK[SYSTICK_CONTROL] = 7; /* on, with an interrupt, from the core's clock */
}

void platform_write(const char *text)
{
    semihost(SYS_WRITE0, (uintptr_t)text);
}

uint32_t platform_ticks(void)
{
    uint32_t before;
    uint32_t value;
    do {
        before = wraps;
        value = SYSTICK[SYSTICK_VALUE];
    } while (before != wraps);
    return (before << 24) + (RELOAD - value);
}

void systick_handler(void)
{
    ++wraps;
}

/* The lowest word that is painted below an address. */
static uint32_t *find_lowest(uint32_t *top)
{
    return (top - stack_limit > PAINTED_WORDS) ? top - PAINTED_WORDS : stack_limit;
}

void __attribute__((noinline)) platform_paint_stack(void)
{
    __asm__ volatile("mov %0, sp" : "=r"(painted_from));
    uint32_t *const here = painted_from - OWN_WORDS; /* what this function itself may still push stays */
    for (volatile uint32_t *word = find_lowest(painted_from); word < here; ++word) {
        *word = PAINT;
    }
}

uint32_t __attribute__((noinline)) platform_stack_bytes(void)
{
    const volatile uint32_t *deepest = find_lowest(painted_from);
    while ((deepest < painted_from - OWN_WORDS) && (*deepest == (uint32_t)PAINT)) {
        ++deepest;
    }
    return (uint32_t)(painted_from - deepest) * 4U;
}

void platform_end(int32_t code)
{
    edgeprune_exit_code = code;
    semihost(SYS_EXIT, (code == 0) ? EXIT_OK : EXIT_ERROR);
    for (;;) {
    }
}

void platform_report_fault(void)
{
    platform_write("FAIL: the processor took a fault\n");
    platform_end(1);
}
