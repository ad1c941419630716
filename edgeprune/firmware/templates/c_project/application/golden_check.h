#ifndef EDGEPRUNE_GOLDEN_CHECK_H
#define EDGEPRUNE_GOLDEN_CHECK_H

#include <stdbool.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Runs the golden samples and writes the stack and the ticks of an inference and "PASS", or else the first output
 * that differs and "FAIL". Gives back whether every byte is as expected. */
bool golden_check(void);

#if defined(__cplusplus)
}
#endif

#endif
