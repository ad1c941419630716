#ifndef EDGEPRUNE_PLATFORM_H
#define EDGEPRUNE_PLATFORM_H

#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* What the check asks of a board. */

void platform_start(void); /* before anything else */
void platform_write(const char *text);
uint32_t platform_ticks(void); /* goes on counting, and wraps */
uint32_t platform_ticks_per_second(void); /* 0 where neither time nor stack is measured */
void platform_paint_stack(void);
uint32_t platform_stack_bytes(void); /* the deepest stack below the caller's since it was painted */

#if defined(__cplusplus)
}
#endif

#endif
