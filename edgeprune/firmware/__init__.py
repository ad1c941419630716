"""From `.tflite` to what a firmware project compiles."""
