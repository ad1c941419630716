# The library `tflm`: TFLM's interpreter and the kernels in MODEL_KERNELS, from a source tree.

set(TFLM_DIR "" CACHE PATH "Root of a TFLM source tree (github.com/tensorflow/tflite-micro)")
set(TFLM_KERNELS "" CACHE STRING "cmsis_nn or reference; cmsis_nn when cross-compiling, else reference")
if(NOT TFLM_KERNELS)
  if(CMAKE_CROSSCOMPILING)
    set(TFLM_KERNELS cmsis_nn)
  else()
    set(TFLM_KERNELS reference)
  endif()
endif()
if(NOT EXISTS ${TFLM_DIR}/tensorflow/lite/micro/micro_interpreter.h)
  message(FATAL_ERROR "TFLM_DIR is '${TFLM_DIR}', where no TFLM is: pass -DTFLM_DIR=<root of a TFLM source tree>.")
endif()

# Each third-party library stands where TFLM's own Makefile puts it, or where its variable says.
set(TFLM_DOWNLOADS ${TFLM_DIR}/tensorflow/lite/micro/tools/make/downloads)
function(find_library_of_tflm variable folder header)
  set(${variable} ${TFLM_DOWNLOADS}/${folder} CACHE PATH "Root of ${folder}")
  if(NOT EXISTS ${${variable}}/${header})
    message(FATAL_ERROR "${folder} is missing: ${${variable}}/${header} does not exist. "
      "Run `make -f tensorflow/lite/micro/tools/make/Makefile third_party_downloads` in TFLM_DIR "
      "(with OPTIMIZED_KERNEL_DIR=cmsis_nn for CMSIS-NN), or pass -D${variable}=<its root>.")
  endif()
endfunction()
find_library_of_tflm(FLATBUFFERS_DIR flatbuffers include/flatbuffers/flatbuffers.h)
find_library_of_tflm(GEMMLOWP_DIR gemmlowp fixedpoint/fixedpoint.h)
find_library_of_tflm(RUY_DIR ruy ruy/profiler/instrumentation.h)

# The interpreter: what TFLM's Makefile takes, without tests, and without console and clock, which are the board's.
set(MICRO ${TFLM_DIR}/tensorflow/lite/micro)
file(GLOB TFLM_SOURCES
  ${MICRO}/*.cc
  ${MICRO}/arena_allocator/*.cc
  ${MICRO}/memory_planner/*.cc
  ${MICRO}/tflite_bridge/*.cc
  ${TFLM_DIR}/tensorflow/lite/core/api/*.cc
  ${TFLM_DIR}/tensorflow/lite/core/c/*.cc
  ${TFLM_DIR}/tensorflow/lite/kernels/*.cc
  ${TFLM_DIR}/tensorflow/lite/kernels/internal/*.cc
  ${TFLM_DIR}/tensorflow/lite/kernels/internal/reference/*.cc
  ${TFLM_DIR}/tensorflow/compiler/mlir/lite/core/api/*.cc
  ${TFLM_DIR}/tensorflow/compiler/mlir/lite/schema/*.cc)
list(FILTER TFLM_SOURCES EXCLUDE REGEX
  "(_test|/(test_help|fake_|mock_|recording_)[a-z_]*|/debug_log|/micro_time)\\.cc$")

foreach(kernel kernel_util micro_tensor_utils ${MODEL_KERNELS})
  foreach(name ${kernel} ${kernel}_common)
    # A kernel of the same name in the kernel library's folder replaces the reference kernel.
    if(EXISTS ${MICRO}/kernels/${TFLM_KERNELS}/${name}.cc)
      list(APPEND TFLM_SOURCES ${MICRO}/kernels/${TFLM_KERNELS}/${name}.cc)
    elseif(EXISTS ${MICRO}/kernels/${name}.cc)
      list(APPEND TFLM_SOURCES ${MICRO}/kernels/${name}.cc)
    elseif(name STREQUAL kernel)
      message(FATAL_ERROR "This TFLM has no kernel ${name}.cc, which the model needs: take a newer TFLM.")
    endif()
  endforeach()
endforeach()

add_library(tflm STATIC ${TFLM_SOURCES})
target_include_directories(tflm SYSTEM PUBLIC
  ${TFLM_DIR} ${FLATBUFFERS_DIR}/include ${GEMMLOWP_DIR} ${RUY_DIR})
target_compile_definitions(tflm PUBLIC TF_LITE_STATIC_MEMORY TF_LITE_DISABLE_X86_NEON)
# No exceptions, no run-time types, no locks around static objects; unused functions go when linking.
target_compile_options(tflm PUBLIC
  -ffunction-sections -fdata-sections -fno-unwind-tables -fno-asynchronous-unwind-tables
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)
target_link_options(tflm PUBLIC -Wl,--gc-sections)

if(TFLM_KERNELS STREQUAL cmsis_nn)
  find_library_of_tflm(CMSIS_DIR cmsis CMSIS/Core/Include/cmsis_compiler.h)
  find_library_of_tflm(CMSIS_NN_DIR cmsis_nn Include/arm_nnfunctions.h)
  file(GLOB_RECURSE CMSIS_NN_SOURCES ${CMSIS_NN_DIR}/Source/*.c)
  list(FILTER CMSIS_NN_SOURCES EXCLUDE REGEX "(_f16|_f32|/arm_nntables_flt)\\.c$")
  target_sources(tflm PRIVATE ${CMSIS_NN_SOURCES})
  # As in TFLM's Makefile: sums over weights are taken once and kept in the arena. Without it SVDF does not run.
  target_compile_definitions(tflm PUBLIC
    CMSIS_NN KERNELS_OPTIMIZED_FOR_SPEED ARM_NN_ENABLE_F16=0 ARM_NN_ENABLE_F32=0)
  target_include_directories(tflm SYSTEM PUBLIC
    ${CMSIS_DIR} ${CMSIS_DIR}/CMSIS/Core/Include ${CMSIS_NN_DIR} ${CMSIS_NN_DIR}/Include)
elseif(NOT TFLM_KERNELS STREQUAL reference)
  message(FATAL_ERROR "TFLM_KERNELS is '${TFLM_KERNELS}': this project knows cmsis_nn and reference.")
endif()
