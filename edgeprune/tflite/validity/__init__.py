"""What TFLM's kernels ask of a file when they prepare it, asked whenever a file is opened."""
