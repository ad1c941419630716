"""Weights stored without their zeros, for XNNPACK's sparse kernels."""
