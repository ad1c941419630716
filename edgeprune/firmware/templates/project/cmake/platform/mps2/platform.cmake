# Arm's MPS2 boards as QEMU has them: mps2-an385 (Cortex-M3), mps2-an386 (M4), mps2-an500 (M7).
# For a board of your own, copy this folder, change it, and pass -DPLATFORM=<the copy>.
option(CONSOLE_UART "Write to UART0, and run again at each line break, instead of semihosting" OFF)
if(CONSOLE_UART)
  target_compile_definitions(golden_check PRIVATE EDGEPRUNE_CONSOLE_UART)
endif()
target_sources(golden_check PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/startup.c
  ${CMAKE_CURRENT_LIST_DIR}/platform.cc
  ${CMAKE_CURRENT_LIST_DIR}/log.cc)
target_link_options(golden_check PRIVATE
  -nostartfiles --specs=nano.specs -T ${CMAKE_CURRENT_LIST_DIR}/memory.ld -Wl,-Map=golden_check.map
  # The proof that nothing uses the heap: a reference to one of these becomes one to __wrap_…, which is nowhere.
  -Wl,--wrap=malloc,--wrap=_malloc_r,--wrap=calloc,--wrap=_calloc_r,--wrap=realloc,--wrap=_realloc_r
  -Wl,--wrap=_Znwj,--wrap=_Znaj,--wrap=_sbrk,--wrap=_sbrk_r)
set_target_properties(golden_check PROPERTIES
  SUFFIX .elf LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/memory.ld)
