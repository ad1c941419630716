"""Weights stored in fewer bytes: for TFLM's DECODE op, and without zeros for XNNPACK."""
