#ifndef EDGEPRUNE_GOLDEN_CHECK_H_
#define EDGEPRUNE_GOLDEN_CHECK_H_

// Runs the golden samples and writes the arena used, the ticks of an inference and "PASS", or else the first
// output that differs and "FAIL". Gives back whether all outputs are as expected.
bool RunGoldenCheck();

#endif  // EDGEPRUNE_GOLDEN_CHECK_H_
