#ifndef EDGEPRUNE_PLATFORM_H_
#define EDGEPRUNE_PLATFORM_H_

#include <cstdint>

// All that the golden check asks of a board.
namespace platform {

// Starts the console and the tick counter.
void Init();

// Writes text to the console.
void Write(const char* text);

// Waits until the other side of the console asks for another run by a line break; false where none can.
bool AskedAgain();

// A counter that runs on and wraps at 32 bits.
uint32_t Ticks();
uint32_t TicksPerSecond();

}  // namespace platform

#endif  // EDGEPRUNE_PLATFORM_H_
