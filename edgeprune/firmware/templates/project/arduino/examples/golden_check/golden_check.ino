// Runs the model on its golden samples and writes PASS or the first difference to the serial monitor.
#include <Arduino.h>
#include <Chirale_TensorFlowLite.h>

#include <golden_check.h>
#include <platform.h>

namespace platform {

void Init() {
  Serial.begin(115200);
  while (!Serial) {
  }
}

void Write(const char* text) { Serial.print(text); }

bool AskedAgain() { return Serial.read() == '\n'; }

uint32_t Ticks() { return micros(); }

uint32_t TicksPerSecond() { return 1000000; }

}  // namespace platform

void setup() {
  platform::Init();
  RunGoldenCheck();
}

void loop() {
  if (platform::AskedAgain()) {
    RunGoldenCheck();
  }
}
