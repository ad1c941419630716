// The console by semihosting or UART0, the end of the program by semihosting, ticks by SysTick.
#include "platform.h"

#include <cstdlib>

namespace {

constexpr uint32_t kSysWrite0 = 0x04, kSysExitExtended = 0x20;
constexpr uint32_t kApplicationExit = 0x20026;
constexpr uint32_t kClockHz = 25000000;
constexpr uint32_t kReload = 0xFFFFFF;

volatile uint32_t* const kSysTick = reinterpret_cast<volatile uint32_t*>(0xE000E010);
enum { kControl, kReloadValue, kCurrentValue };

volatile uint32_t wraps = 0;

// Arm's semihosting: a debugger or an emulator does it for us.
void Semihost(uint32_t operation, uint32_t argument) {
  register uint32_t r0 __asm("r0") = operation;
  register uint32_t r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

#ifdef EDGEPRUNE_CONSOLE_UART
// CMSDK's UART; the divider makes 115200 baud of the 25 MHz it is clocked with.
volatile uint32_t* const kUart = reinterpret_cast<volatile uint32_t*>(0x40004000);
enum { kData, kState, kUartControl, kInterrupts, kDivider };
constexpr uint32_t kTransmitFull = 1, kReceiveFull = 2, kTransmitAndReceive = 3;
#endif

}  // namespace

namespace platform {

void Init() {
#ifdef EDGEPRUNE_CONSOLE_UART
  kUart[kDivider] = kClockHz / 115200;
  kUart[kUartControl] = kTransmitAndReceive;
#endif
  kSysTick[kReloadValue] = kReload;
  kSysTick[kCurrentValue] = 0;
  kSysTick[kControl] = 7;  // on, with an interrupt, from the core's clock
}

#ifdef EDGEPRUNE_CONSOLE_UART
void Write(const char* text) {
  for (; *text != '\0'; ++text) {
    while (kUart[kState] & kTransmitFull) {
    }
    kUart[kData] = static_cast<unsigned char>(*text);
  }
}

bool AskedAgain() {
  for (;;) {
    while (!(kUart[kState] & kReceiveFull)) {
    }
    if (kUart[kData] == '\n') {
      return true;
    }
  }
}
#else
void Write(const char* text) { Semihost(kSysWrite0, reinterpret_cast<uint32_t>(text)); }

bool AskedAgain() { return false; }
#endif

uint32_t Ticks() {
  uint32_t before, current;
  do {
    before = wraps;
    current = kSysTick[kCurrentValue];
  } while (before != wraps);
  return before * (kReload + 1) + (kReload - current);
}

uint32_t TicksPerSecond() { return kClockHz; }

}  // namespace platform

extern "C" void SysTick_Handler() { wraps = wraps + 1; }

extern "C" [[noreturn]] void Exit(int code) {
  const uint32_t block[2] = {kApplicationExit, static_cast<uint32_t>(code)};
  Semihost(kSysExitExtended, reinterpret_cast<uint32_t>(block));
  for (;;) {
  }
}

extern "C" void ReportFault() {
  platform::Write("FAIL: the processor took a fault\n");
  Exit(1);
}

// Called by failed assertions. The library's own would pull in signals, and with them the heap.
extern "C" void abort() {
  platform::Write("FAIL: aborted\n");
  Exit(1);
}
