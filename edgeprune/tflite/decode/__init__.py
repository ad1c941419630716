"""TFLM's DECODE op: constants that are stored encoded and unpacked just before the op that reads them."""
