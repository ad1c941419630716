// From reset to main(), for any Cortex-M.
#include <stdint.h>

extern uint32_t data_begin[], data_end[], data_source[], bss_begin[], bss_end[], stack_top[];
extern void (*init_array_begin[])(void);
extern void (*init_array_end[])(void);

extern int main(void);
extern void SysTick_Handler(void);
extern void Exit(int code);
extern void ReportFault(void);

void Reset_Handler(void);

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top,
    Reset_Handler,
    ReportFault,  // NMI
    ReportFault,  // hard fault
    ReportFault,  // memory management
    ReportFault,  // bus
    ReportFault,  // usage
    0, 0, 0, 0,
    ReportFault,  // SVCall
    ReportFault,  // debug monitor
    0,
    ReportFault,  // PendSV
    SysTick_Handler,
};

void Reset_Handler(void) {
#if defined(__ARM_FP)
  // Coprocessors 10 and 11, the floating-point unit (and MVE), may be used.
  *(volatile uint32_t*)0xE000ED88 |= 0xFu << 20;
  __asm volatile("dsb\n isb" ::: "memory");
#endif
  for (uint32_t *to = data_begin, *from = data_source; to < data_end;) {
    *to++ = *from++;
  }
  for (uint32_t* to = bss_begin; to < bss_end;) {
    *to++ = 0;
  }
  for (void (**constructor)(void) = init_array_begin; constructor < init_array_end; ++constructor) {
    (*constructor)();
  }
  Exit(main());
}
