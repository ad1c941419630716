# TFLM is Zephyr's module, which holds its kernels; the model is data.
if(NOT CONFIG_TENSORFLOW_LITE_MICRO)
  message(FATAL_ERROR "The module tflite-micro is missing: "
    "run `west config manifest.project-filter -- +tflite-micro` and `west update`.")
endif()
set(MODEL_SOURCES src/model_data.cc)
# Zephyr's TFLM keeps this to itself; with it the resolver takes the smaller kernels for int8 alone.
if(CONFIG_TENSORFLOW_LITE_MICRO_CMSIS_NN_KERNELS)
  target_compile_definitions(app PRIVATE CMSIS_NN)
endif()
