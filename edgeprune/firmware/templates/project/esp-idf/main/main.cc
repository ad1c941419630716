#include <cstdio>

#include "esp_timer.h"
#include "golden_check.h"
#include "platform.h"

namespace platform {

void Init() {}

void Write(const char* text) { std::fputs(text, stdout); }

uint32_t Ticks() { return static_cast<uint32_t>(esp_timer_get_time()); }

uint32_t TicksPerSecond() { return 1000000; }

}  // namespace platform

extern "C" void app_main() {
  platform::Init();
  RunGoldenCheck();
}
