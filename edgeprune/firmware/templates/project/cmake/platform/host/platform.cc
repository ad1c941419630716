// This machine as the board: stdout and the processor's clock.
#include "platform.h"

#include <cstdarg>
#include <cstdio>
#include <ctime>

#include "tensorflow/lite/micro/debug_log.h"

namespace platform {

void Init() {}

void Write(const char* text) { std::fputs(text, stdout); }

bool AskedAgain() { return false; }

uint32_t Ticks() { return static_cast<uint32_t>(std::clock()); }

uint32_t TicksPerSecond() { return CLOCKS_PER_SEC; }

}  // namespace platform

extern "C" void DebugLog(const char* format, va_list arguments) { std::vfprintf(stderr, format, arguments); }

extern "C" int DebugVsnprintf(char* buffer, size_t size, const char* format, va_list arguments) {
  return std::vsnprintf(buffer, size, format, arguments);
}
