"""Recurrent layers in a form that TensorFlow's converter can quantize: one op, or one piece per time step.

Keras 3 computes them in a loop, and the calibrator crashes on loops. An LSTM with the usual activations
becomes TFLite's UNIDIRECTIONAL_SEQUENCE_LSTM: the converter replaces a function that says of itself that it
implements one ("api_implements"), as those of Keras 2 did. It looks for such functions only in saved models,
and only where nothing has been folded into them, so the model is saved with constants for weights. All other
recurrent layers are unrolled.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from edgeprune.keras_bridge.conversion.stateless import refuse_changes, replaced_attribute
from edgeprune.keras_bridge.model.calling import call
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack

Fused = Callable[..., tuple[Any, ...]]


@contextmanager
def without_loops(model: keras.Model) -> Iterator[bool]:
    """While the block runs, recurrent layers compute without loops; yields whether one of them is fused."""
    with ExitStack() as stack:
        fused = _find_fusable(model)
        for layer in model._flatten_layers():
            if isinstance(layer, layers.RNN):
                stack.enter_context(replaced_attribute(layer, "unroll", True))
        for layer in fused:
            stack.enter_context(replaced_attribute(layer, "inner_loop", _fuse(layer)))
        yield bool(fused)


@contextmanager
def saved_with_constants(model: keras.Model, specs: Sequence[tf.TensorSpec]) -> Iterator[Path]:
    """A saved model in a temporary directory, with constants instead of variables.

    Args:
        model: what is called, in inference mode.
        specs: of its inputs, with names in the inputs' order, as `restore_order` wants them.
    """
    values = [(variable, np.asarray(variable)) for variable in model.variables]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def infer(*inputs: Any) -> dict[str, Any]:
        with keras.StatelessScope(state_mapping=[(v, tf.constant(value)) for v, value in values]) as scope:
            before = [scope.get_current_value(v) for v, _ in values]
            outputs = call(model, inputs, training=False)
            kept = zip(values, before, strict=True)
            refuse_changes(model, [v for (v, _), old in kept if scope.get_current_value(v) is not old])
        return {f"output_{i:03d}": output for i, output in enumerate(outputs)}

    with TemporaryDirectory() as folder:
        module = tf.Module()
        module.infer = infer
        tf.saved_model.save(module, folder, signatures=infer)
        yield Path(folder)


def restore_order(tflite: bytes) -> bytes:
    """The file with inputs and outputs sorted by their names in its signature: saved models know no order."""
    packed = load_schema().ModelT.InitFromObj(load_schema().Model.GetRootAs(tflite, 0))
    (signature,), (main, *_) = packed.signatureDefs, packed.subgraphs
    main.inputs = [entry.tensorIndex for entry in sorted(signature.inputs, key=lambda entry: entry.name)]
    main.outputs = [entry.tensorIndex for entry in sorted(signature.outputs, key=lambda entry: entry.name)]
    return pack(packed)


def _find_fusable(model: keras.Model) -> list[layers.LSTM]:
    """LSTMs as the one op computes them, that start from zeros and whose states nobody reads."""
    fusable: dict[int, layers.LSTM] = {}
    for layer in model._flatten_layers():
        within = [layer]
        if isinstance(layer, layers.Bidirectional):
            within = [layer.forward_layer, layer.backward_layer]
        alone = all(len(node.input_tensors) <= 1 for node in layer._inbound_nodes)
        for found in within:
            if isinstance(found, layers.LSTM) and not (alone and _is_usual(found)):
                fusable[id(found)] = None
            elif isinstance(found, layers.LSTM):
                fusable.setdefault(id(found), found)
    return [layer for layer in fusable.values() if layer is not None]


def _is_usual(layer: layers.LSTM) -> bool:
    activations = (layer.activation, layer.recurrent_activation)
    usual = activations == (keras.activations.tanh, keras.activations.sigmoid)
    return usual and layer.use_bias and not (layer.stateful or layer.return_state)


def _fuse(layer: layers.LSTM) -> Fused:
    """What the layer's loop computes, inside a function that the converter recognises."""
    loop = layer.inner_loop

    @tf.function(  # type: ignore[untyped-decorator]
        autograph=False,
        experimental_attributes={
            "api_implements": f"lstm_{id(layer)}",
            "api_preferred_device": "CPU",
            "go_backwards": layer.go_backwards,
            "time_major": False,
        },
    )
    def compute(x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[Any, ...]:
        steps = tf.unstack(x, axis=1)
        outputs = []
        for step in reversed(steps) if layer.go_backwards else steps:
            gates = tf.matmul(step, kernel) + tf.matmul(h, recurrent) + bias
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        # The converter expects five results; the last one told Keras 2 where it ran.
        return h, tf.stack(outputs, axis=1), h, c, tf.constant(1.0)

    def inner_loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple[Any, ...]:
        if sequences.shape[1] is None or any(m is not None for m in keras.tree.flatten(mask)):
            return loop(sequences, initial_state, mask, training=training)  # type: ignore[no-any-return]
        cell = layer.cell
        weights = (tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
        last, outputs, h, c, _ = compute(sequences, *initial_state, *weights)
        return last, outputs, [h, c]

    return inner_loop
