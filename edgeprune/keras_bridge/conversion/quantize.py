"""From a calibrated float file to the quantized one."""

import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from edgeprune.keras_bridge.conversion.isolated import isolated
from edgeprune.keras_bridge.conversion.quiet import quiet_stderr
from edgeprune.tflite.covering import cover_ranges
from edgeprune.tflite.ranges import read_ranges, require_finite, write_ranges
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of

_TIMES = 3
"""What is widened may clip its neighbour; further than this no model went on."""


def quantize(calibrated: bytes, *, io_type: str = "int8") -> bytes:
    """The int8 file that TensorFlow's converter makes of a calibrated one, with nothing clipped that is read.

    Args:
        calibrated: what `calibrate` made.
        io_type: of inputs and outputs: "int8", "uint8" or "float32".
    """
    made = _quantize(calibrated, io_type=io_type)
    for _ in range(_TIMES):
        plain = read_model(calibrated, where="the calibrated model")
        quantized = read_model(made, where="the quantized model")
        wider = cover_ranges(plain, quantized, read_ranges(calibrated))
        if not wider:
            break
        calibrated = write_ranges(calibrated, wider)
        made = _quantize(calibrated, io_type=io_type)
    return in_ops_of(made, runtime="litert")


def require_calibrated(calibrated: bytes, *, where: str) -> None:
    """Raises DataError where the ranges of a calibrated file are none that integers can have."""
    require_finite(read_ranges(calibrated), read_model(calibrated, where=where))


def _quantize(calibrated: bytes, *, io_type: str) -> bytes:
    dtype = tf.as_dtype(io_type)
    with isolated(), quiet_stderr():
        return bytes(mlir_quantize(calibrated, input_data_type=dtype, output_data_type=dtype))
