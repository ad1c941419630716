"""From a Keras model to `.tflite` bytes, quantized after training."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgeprune.errors import DataError, ModelError
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.calling import call
from edgeprune.keras_bridge.convert_recurrent import restore_order, saved_with_constants, without_loops
from edgeprune.keras_bridge.quiet import quiet_stderr
from edgeprune.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """A way to quantize.

    Attributes:
        name: as in `--scheme`.
        summary: one line for `edgeprune list schemes`.
        needs_data: whether it calibrates on a representative set.
        configure: sets the converter up.
    """

    name: str
    summary: str
    needs_data: bool
    configure: Callable[[Any], None]


SCHEMES: Registry[Scheme] = Registry("scheme", listing="edgeprune list schemes")


def _configure_int8(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8


SCHEMES.add(
    "int8",
    Scheme(
        name="int8",
        summary="8-bit weights (per channel) and activations, integer in and out",
        needs_data=True,
        configure=_configure_int8,
    ),
)
SCHEMES.add(
    "none",
    Scheme(
        name="none",
        summary="32-bit floats, for comparison",
        needs_data=False,
        configure=lambda converter: None,
    ),
)


def convert(model: keras.Model, *, scheme: str, representative: Sequence[Array] | None = None) -> bytes:
    """The `.tflite` bytes of a model with a batch of one.

    Args:
        model: Functional or Sequential.
        scheme: a name in `SCHEMES`.
        representative: one array per model input, (samples, ...), for schemes that calibrate.

    Raises:
        DataError: the scheme calibrates and there is no data.
        ModelError: the converter does not accept the model.
    """
    chosen = SCHEMES[scheme]
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
            chosen.configure(converter)
            # Said of every model that is quantized after training.
            warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
            return order(bytes(converter.convert()))
    except (ValueError, RuntimeError, TypeError, NotImplementedError, converter_error()) as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            "TensorFlow's converter does not accept the model",
            where=model.name,
            why=reason[0][:300] if reason else type(error).__name__,
            fix="replace the layer it names; --scheme none shows whether quantization is the cause",
        ) from error


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
    with without_loops(model) as fused, ExitStack() as stack:
        if fused:
            with quiet_stderr():
                folder = stack.enter_context(saved_with_constants(model, specs))
            yield tf.lite.TFLiteConverter.from_saved_model(str(folder)), restore_order
        else:
            yield tf.lite.TFLiteConverter.from_concrete_functions([_freeze(model, specs)]), bytes


def _freeze(model: keras.Model, specs: Sequence[tf.TensorSpec]) -> Any:
    def infer(*inputs: Any) -> Any:
        return call(model, inputs, training=False)

    # Frozen first: the calibrator cannot read Keras 3 variables, and constants convert four times faster.
    return convert_variables_to_constants_v2(tf.function(infer).get_concrete_function(*specs))


def _samples(model: keras.Model, representative: Sequence[Array]) -> Iterator[list[Array]]:
    for i in range(len(representative[0])):
        yield [
            np.asarray(x[i : i + 1]).astype(t.dtype)
            for x, t in zip(representative, model.inputs, strict=True)
        ]
