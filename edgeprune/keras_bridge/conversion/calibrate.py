"""Quantization in two halves: a float file with the ranges of its activations, and the int8 file made of it.

Between the two, ranges can be narrowed and weights equalized; see `tflite/ranges.py` and `equalize.py`.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.optimize.calibrator import Calibrator

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.conversion.isolated import isolated
from edgeprune.keras_bridge.conversion.quantize import require_calibrated
from edgeprune.keras_bridge.conversion.quiet import quiet_stderr
from edgeprune.tflite.complaints import explain_refusal
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model

_PLAIN = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def calibrate(model: keras.Model, *, representative: Sequence[Array]) -> bytes:
    """A float file of the model that holds the range of each activation on representative data.

    Args:
        model: Functional or Sequential.
        representative: one array per model input, (samples, ...).

    Raises:
        ModelError: the converter does not accept the model.
    """
    return convert(model, scheme="int8", representative=representative, calibrate_only=True)


def calibrate_again(calibrated: bytes, *, representative: Sequence[Array]) -> bytes:
    """The same file with ranges on other data, or of other weights.

    Raises:
        OpError: an op cannot compute with the data.
        ModelError: the calibrator crashed.
    """
    types = [np.dtype(tensor.dtype) for tensor in read_model(calibrated, where="the calibrated model").inputs]

    def draw() -> Iterator[list[Array]]:
        for i in range(len(representative[0])):
            yield [x[i : i + 1].astype(dtype) for x, dtype in zip(representative, types, strict=True)]

    with isolated(), quiet_stderr(), translated_complaints(read_model(calibrated, where="the model")):
        again = bytes(Calibrator(calibrated, [], []).calibrate(draw))
    require_calibrated(again, where="the calibrated model")
    return again


@contextmanager
def translated_complaints(model: Model) -> Iterator[None]:
    """Turns what an interpreter in this process raises into OpError or ToolFailedError."""
    try:
        yield
    except RuntimeError as error:
        raise explain_refusal(str(error), who="TensorFlow's LiteRT", model=model) from error


def run_tensors(tflite: bytes, inputs: Sequence[Array]) -> Iterator[dict[int, Array]]:
    """For each sample, every activation of the main graph as real numbers, by the index of its tensor.

    Args:
        tflite: floats or quantized; with a batch of one.
        inputs: one array per model input, (samples, ...), real numbers.

    Raises:
        OpError: TensorFlow's LiteRT cannot run one of its ops.
    """
    model = read_model(tflite, where="the model")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(
            model_content=tflite, experimental_preserve_all_tensors=True, experimental_op_resolver_type=_PLAIN
        )
    with translated_complaints(model):
        interpreter.allocate_tensors()
    made = sorted({tensor.index for tensor in model.inputs} | {i for op in model.ops for i in op.outputs})
    for i in range(len(inputs[0])):
        if model.is_stateful:
            interpreter.reset_all_variables()
        for x, tensor in zip(inputs, model.inputs, strict=True):
            values = x[i : i + 1]
            if tensor.scales.size:
                limits = np.iinfo(tensor.dtype)
                values = np.rint(values / tensor.scales[0]) + tensor.zero_points[0]
                values = np.clip(values, limits.min, limits.max)
            interpreter.set_tensor(tensor.index, values.astype(tensor.dtype).reshape(tensor.shape))
        with translated_complaints(model):
            interpreter.invoke()
        found = {}
        for index in made:
            tensor = model.tensors[index]
            values = interpreter.get_tensor(index)
            if tensor.scales.size == 1:
                values = (values.astype(np.float32) - tensor.zero_points[0]) * tensor.scales[0]
            found[index] = values
        yield found
