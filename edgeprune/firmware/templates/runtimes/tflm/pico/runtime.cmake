# TFLM is pico-tflmicro, a library that holds its kernels; the model is data.
set(PICO_TFLMICRO_DIR "" CACHE PATH "Root of github.com/raspberrypi/pico-tflmicro")
if(NOT EXISTS ${PICO_TFLMICRO_DIR}/src/tensorflow/lite/micro/micro_interpreter.h)
  message(FATAL_ERROR "PICO_TFLMICRO_DIR is '${PICO_TFLMICRO_DIR}', where no pico-tflmicro is: "
    "pass -DPICO_TFLMICRO_DIR=<its root>.")
endif()
add_subdirectory(${PICO_TFLMICRO_DIR} pico-tflmicro EXCLUDE_FROM_ALL)
set(MODEL_SOURCES src/model_data.cc)
set(MODEL_LIBRARIES pico-tflmicro)
