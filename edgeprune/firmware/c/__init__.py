"""The C engine: a `.tflite` file compiled to self-contained C99."""
