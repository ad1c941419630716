#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "golden_check.h"
#include "platform.h"

namespace platform {

void Init() {}

void Write(const char* text) { printk("%s", text); }

uint32_t Ticks() { return k_cycle_get_32(); }

uint32_t TicksPerSecond() { return sys_clock_hw_cycles_per_sec(); }

}  // namespace platform

int main() {
  platform::Init();
  return RunGoldenCheck() ? 0 : 1;
}
