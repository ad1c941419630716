#include "golden_check.h"
#include "platform.h"

int main(void)
{
    platform_start();
    return golden_check() ? 0 : 1;
}
