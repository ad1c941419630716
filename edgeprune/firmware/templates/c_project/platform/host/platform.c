/* This machine: the console is stdout; nothing is timed, and the stack is not measured. */
#include "platform.h"

#include <stdio.h>

void platform_start(void)
{
}

void platform_write(const char *text)
{
    (void)fputs(text, stdout);
}

uint32_t platform_ticks(void)
{
    return 0;
}

uint32_t platform_ticks_per_second(void)
{
    return 0;
}

void platform_paint_stack(void)
{
}

uint32_t platform_stack_bytes(void)
{
    return 0;
}
