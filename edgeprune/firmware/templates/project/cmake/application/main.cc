#include "golden_check.h"
#include "platform.h"

int main() {
  platform::Init();
  return RunGoldenCheck() ? 0 : 1;
}
