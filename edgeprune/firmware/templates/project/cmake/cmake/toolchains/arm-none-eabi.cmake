# GCC for bare-metal Arm; the files of the cores set CPU_FLAGS and include this.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_C_FLAGS_INIT "${CPU_FLAGS} -mthumb")
set(CMAKE_CXX_FLAGS_INIT "${CPU_FLAGS} -mthumb")
set(CMAKE_ASM_FLAGS_INIT "${CPU_FLAGS} -mthumb")
