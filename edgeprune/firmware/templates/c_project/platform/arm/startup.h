#ifndef EDGEPRUNE_STARTUP_H
#define EDGEPRUNE_STARTUP_H

#include <stdint.h>

/* What start-up and the board ask of each other. */

int main(void);
void reset_handler(void);
void hard_fault(void);
void systick_handler(void);
void platform_end(int32_t code);
void platform_report_fault(void);

#endif
