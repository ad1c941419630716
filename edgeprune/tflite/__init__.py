"""Reading and editing `.tflite` files: flatbuffers and numpy, no TensorFlow."""
