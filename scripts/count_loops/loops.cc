// The loops of ops that no counted network has, as TFLM and CMSIS-NN compile them; count.py lists the cases.
#include "arm_nnfunctions.h"
#include "tensorflow/lite/kernels/internal/reference/maximum_minimum.h"
#include "tensorflow/lite/kernels/internal/reference/requantize.h"

using tflite::RuntimeShape;
extern "C" void start_counting();
extern "C" void stop_counting();

namespace {

uint8_t bytes[20000];
int8_t first[20000], output[20000];

__attribute__((noinline)) void flip_sign(int size, int multiplier, int shift, int in, int out) {
  tflite::reference_ops::Requantize(bytes, size, multiplier, shift, in, out, output);
}

int8_t larger(int8_t a, int8_t b) { return a > b ? a : b; }

__attribute__((noinline)) void maximum_reference(const RuntimeShape& shape, const RuntimeShape& other) {
  tflite::reference_ops::MaximumMinimumBroadcastSlow(shape, first, other, first, shape, output, larger);
}

void maximum(int height, int width, int channels, bool is_scalar) {
  const cmsis_nn_context context{};
  const cmsis_nn_dims dims{1, height, width, channels}, other{1, 1, 1, is_scalar ? 1 : channels};
  start_counting();
  arm_maximum_s8(&context, first, &dims, first, &other, output, &dims);
  stop_counting();
  const int32_t sizes[4] = {1, height, width, channels}, others[4] = {1, 1, 1, is_scalar ? 1 : channels};
  const RuntimeShape shape(4, sizes), constant(4, others);
  start_counting();
  maximum_reference(shape, constant);
  stop_counting();
}

}  // namespace

int main() {
  for (int i = 0; i < 20000; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 37);
    first[i] = static_cast<int8_t>(i * 91);
  }
  start_counting();  // the first reading is off
  volatile int same_scale = 1 << 30;
  for (int size : {39, 100, 1000, 16384}) {
    start_counting();
    flip_sign(size, same_scale, 1, 128, 0);
    stop_counting();
  }
  const int shapes[4][3] = {{3, 10, 16}, {3, 40, 4}, {3, 333, 16}, {3, 40, 64}};
  for (const auto& shape : shapes) {
    maximum(shape[0], shape[1], shape[2], true);
    maximum(shape[0], shape[1], shape[2], false);
  }
}
