/* Start-up, a clock that counts instructions (SysTick under -icount) and a console for count.py. */
#include <stdint.h>

extern char stack_top;
int main(void);
void Reset_Handler(void);

static void call_host(int number, const void *argument) {
  register int r0 __asm__("r0") = number;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void stop(int reason) {
  call_host(0x18, (const void *)reason);
  for (;;) {
  }
}

static void crash(void) { stop(0x20023); }
void abort(void) {
  crash();
  __builtin_unreachable();
}

__attribute__((section(".vectors"), used)) void *const vectors[16] = {
    &stack_top, Reset_Handler, crash, crash, crash, crash, crash};

void Reset_Handler(void) {
#ifdef __ARM_FP
  *(volatile uint32_t *)0xE000ED88 |= 0xF << 20;
  __asm__ volatile("dsb; isb");
#endif
  main();
  stop(0x20026);
}

static volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010;
static uint32_t started;

void start_counting(void) {
  systick[1] = 0xFFFFFF;
  systick[2] = 0;
  systick[0] = 5;
  started = systick[2];
}

/* Writes the ticks since start_counting, in decimal. */
void stop_counting(void) {
  uint32_t ticks = started - systick[2];
  char text[16], *at = text + sizeof text;
  *--at = 0;
  *--at = '\n';
  do {
    *--at = (char)('0' + ticks % 10);
    ticks /= 10;
  } while (ticks);
  call_host(4, at);
}
