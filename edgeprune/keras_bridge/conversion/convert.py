"""From a Keras model to `.tflite` bytes, quantized after training."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeprune.errors import DataError, ModelError, OpError
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.conversion.convert_recurrent import (
    restore_order,
    saved_with_constants,
    without_loops,
)
from edgeprune.keras_bridge.conversion.converter_errors import read_converter_error
from edgeprune.keras_bridge.conversion.isolated import isolated
from edgeprune.keras_bridge.conversion.layer_names import describe_place, find_layer
from edgeprune.keras_bridge.conversion.plain_forms import with_plain_ops
from edgeprune.keras_bridge.conversion.quantize import quantize, require_calibrated
from edgeprune.keras_bridge.conversion.quiet import quiet_stderr
from edgeprune.keras_bridge.conversion.stateless import refuse_changes, without_state
from edgeprune.keras_bridge.model.calling import call
from edgeprune.tflite.schemes import SCHEMES, Scheme, choose_io_type

_OPS_SETS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
    "float32": "TFLITE_BUILTINS",
}
"""Type of activations → the converter's set of ops in which all of them have it."""
_NO_FORM = re.compile(r"not yet supported for op: '(\w+)'")


def convert(
    model: keras.Model,
    *,
    scheme: str,
    representative: Sequence[Array] | None = None,
    io_type: str | None = None,
    calibrate_only: bool = False,
) -> bytes:
    """The `.tflite` bytes of a model with a batch of one.

    Args:
        model: Functional or Sequential.
        scheme: a name in `SCHEMES`.
        representative: one array per model input, (samples, ...), for schemes that calibrate.
        io_type: type of inputs and outputs, one of the scheme's `io_types`; by default the first of them.
        calibrate_only: stop before quantizing, with floats and the ranges of activations; for int8.

    Raises:
        DataError: the scheme calibrates and there is no data.
        OpError: an op of the model has no form in this scheme.
        ModelError: the converter does not accept the model, or crashes on it.
        ToolFailedError: its process was killed, or failed.
        RecipeError: the scheme does not have that type of inputs and outputs.
    """
    chosen, io_type = SCHEMES[scheme], choose_io_type(scheme, io_type)
    if chosen.needs_data and representative is None:
        raise DataError(
            f"scheme '{scheme}' needs representative data",
            why="activation ranges are measured on real inputs",
            fix="pass --data",
        )
    try:
        with _open_converter(model) as (converter, order), quiet_stderr(), warnings.catch_warnings():
            if representative is not None and chosen.needs_data:
                converter.representative_dataset = lambda: _samples(model, representative)
            _configure(converter, chosen, io_type)
            in_halves = chosen.needs_data and chosen.activations == "int8"
            converter._experimental_calibrate_only = calibrate_only or in_halves
            # Said of every model that is quantized after training.
            warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
            with isolated():
                made = order(bytes(converter.convert()))
            if calibrate_only or in_halves:
                require_calibrated(made, where=model.name)
            return quantize(made, io_type=io_type) if in_halves and not calibrate_only else made
    except (ValueError, RuntimeError, TypeError, NotImplementedError, converter_error()) as error:
        missing = _NO_FORM.search(str(error))
        if missing is not None:
            raise OpError(
                f"the op {missing[1]} has no form in the scheme {scheme}",
                where=describe_place(model, convert(model, scheme="none"), op=missing[1]),
                why="TensorFlow's converter quantizes it to 8 bits at most",
                fix="use --scheme int8, or replace the layer",
            ) from error
        found = read_converter_error(str(error))
        layer = _find_maker(model, found.ops)
        wider = "use --scheme int8, which converts more" if scheme == "int16x8" else ""
        raise ModelError(
            f"TFLite has no form of {', '.join(found.ops)}"
            if found.ops
            else "TensorFlow's converter does not accept the model",
            where=f"layer '{layer}' of model '{model.name}'" if layer else model.name,
            why="" if found.ops else found.reason or type(error).__name__,
            fix=wider
            or (
                "replace the layer by one of other operations"
                if found.ops
                else "--scheme none shows whether quantization is the cause"
            ),
        ) from error


def _configure(converter: Any, scheme: Scheme, io_type: str) -> None:
    if scheme.name == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, _OPS_SETS[scheme.activations])]
    if scheme.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme.needs_data:
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io_type)


def converter_error() -> type[Exception]:
    """The exception class that TensorFlow's converter raises."""
    from tensorflow.lite.python.convert_phase import ConverterError

    return ConverterError  # type: ignore[no-any-return]


@contextmanager
def _open_converter(model: keras.Model) -> Iterator[tuple[Any, Callable[[bytes], bytes]]]:
    """A converter, and what puts inputs and outputs of its file into the model's order."""
    specs = [
        tf.TensorSpec((1, *t.shape[1:]), tf.as_dtype(t.dtype), name=f"input_{i:03d}")
        for i, t in enumerate(model.inputs)
    ]
    with without_state(model), with_plain_ops(model), without_loops(model) as fused, ExitStack() as stack:
        if fused:
            with quiet_stderr():
                folder = stack.enter_context(saved_with_constants(model, specs))
            yield tf.lite.TFLiteConverter.from_saved_model(str(folder)), restore_order
        else:
            yield tf.lite.TFLiteConverter.from_concrete_functions([_freeze(model, specs)]), bytes


def _find_maker(model: keras.Model, ops: Sequence[str]) -> str | None:
    """The layer that makes an operation of one of these types; None where that cannot be told."""
    if not ops:
        return None
    names = {layer.name for layer in model._flatten_layers(include_self=False)}
    specs = [tf.TensorSpec((1, *t.shape[1:]), tf.as_dtype(t.dtype)) for t in model.inputs]
    with without_state(model):
        graph = tf.function(lambda *x: call(model, x, training=False)).get_concrete_function(*specs).graph
    found = (find_layer(op.name, names) for op in graph.get_operations() if op.type in ops)
    return next((name for name in found if name is not None), None)


def _freeze(model: keras.Model, specs: Sequence[tf.TensorSpec]) -> Any:
    def infer(*inputs: Any) -> Any:
        return call(model, inputs, training=False)

    # Frozen first: the calibrator cannot read Keras 3 variables, and constants convert four times faster.
    concrete = tf.function(infer).get_concrete_function(*specs)
    assigned = {id(op.inputs[0]) for op in concrete.graph.get_operations() if op.type.startswith("Assign")}
    handles = {id(outer) for outer, inner in concrete.graph.captures if id(inner) in assigned}
    refuse_changes(model, [v for v in model.variables if id(v.value.handle) in handles])
    return convert_variables_to_constants_v2(concrete)


def _samples(model: keras.Model, representative: Sequence[Array]) -> Iterator[list[Array]]:
    for i in range(len(representative[0])):
        yield [
            np.asarray(x[i : i + 1]).astype(t.dtype)
            for x, t in zip(representative, model.inputs, strict=True)
        ]
