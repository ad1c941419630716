set(CPU_FLAGS "-mcpu=cortex-m0plus")
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
