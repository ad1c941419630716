#include "golden_check.h"
#include "platform.h"

int main() {
  platform::Init();
  bool same = false;
  do {
    same = RunGoldenCheck();
  } while (platform::AskedAgain());
  return same ? 0 : 1;
}
