#include <cstdio>

#include "golden_check.h"
#include "pico/stdlib.h"
#include "platform.h"

namespace platform {

void Init() {
  stdio_init_all();
  sleep_ms(3000);  // so that a terminal can be opened before anything is written
}

void Write(const char* text) { std::fputs(text, stdout); }

bool AskedAgain() {
  while (getchar() != '\n') {
  }
  return true;
}

uint32_t Ticks() { return time_us_32(); }

uint32_t TicksPerSecond() { return 1000000; }

}  // namespace platform

int main() {
  platform::Init();
  do {
    RunGoldenCheck();
  } while (platform::AskedAgain());
}
