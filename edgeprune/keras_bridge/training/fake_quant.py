"""Fine-tuning that feels quantization: activations rounded as an int8 file rounds them, weights likewise.

A straight-through estimator: forward with rounded values, backward as if they were not (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference").
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.kernels import Kernel
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.keras_bridge.model.calling import replaced_call
from edgeprune.keras_bridge.model.observe import observe
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.keras_bridge.training.kernel_training import StraightThroughCallback, find_kernel_variables

_FUSED_AFTER = ("BatchNormalization", "Activation", "ReLU")
_FIXED_RANGE = ("Softmax",)
_STEPS = 127


class GridCallback(StraightThroughCallback):
    """Keeps kernels on the 8-bit grid of each output while a model trains.

    BatchNormalization scales whole outputs and so does not move weights on their grid.
    """

    def choose_kernels(self, model: keras.Model) -> dict[Kernel, Any]:
        """All of them."""
        return find_kernel_variables(model)

    def project(self, kernel: Kernel, free: Array) -> Array:
        """The nearest of 255 values around 0."""
        step = np.maximum(np.abs(free).max(axis=1, keepdims=True), 1e-12) / _STEPS
        return np.asarray(np.rint(free / step) * step)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the weights as they are without rounding, for the converter to round."""
        for kernel, variable in self._variables.items():
            variable.assign(kernel.from_matrix(self._free[kernel]))


@contextmanager
def fake_quantized(model: keras.Model, *, inputs: tuple[Any, ...]) -> Iterator[None]:
    """Within it, the model's activations are rounded to the 256 values of the range that they have on data.

    BatchNormalization keeps its statistics meanwhile: with those of a batch, ranges would be others.

    Args:
        model: Functional or Sequential; whole again afterwards.
        inputs: representative data, one array per model input, (samples, ...).
    """
    traced = trace(model)
    ranges = observe(model, traced, inputs=inputs)
    with ExitStack() as stack:
        for layer in traced.layers.values():
            if isinstance(layer, keras.layers.BatchNormalization):
                stack.enter_context(_frozen(layer))
        for name in find_rounded(traced.graph):
            nodes = [node for node in traced.graph.nodes if node.layer == name]
            seen = [ranges[output] for node in nodes for output in node.outputs if output in ranges]
            if seen:
                low = min(0.0, *(float(np.min(interval.low)) for interval in seen))
                high = max(0.0, *(float(np.max(interval.high)) for interval in seen))
                stack.enter_context(_rounding(traced.layers[name], low, high))
        yield


def find_rounded(graph: LayerGraph) -> list[str]:
    """Layers whose outputs an int8 file stores: not those that the converter fuses into the next layer."""
    kinds = {name: layer.kind for name, layer in graph.layers.items()}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node.layer)
    found = []
    for node in graph.nodes:
        following = [kinds[reader] for tensor in node.outputs for reader in readers.get(tensor, [])]
        fused = len(following) == 1 and following[0] in _FUSED_AFTER
        if not fused and kinds[node.layer] not in _FIXED_RANGE and node.layer not in found:
            found.append(node.layer)
    return found


@contextmanager
def _rounding(operation: Any, low: float, high: float) -> Iterator[None]:
    original = operation.call

    def call_and_round(*args: Any, **kwargs: Any) -> Any:
        return keras.tree.map_structure(_round, original(*args, **kwargs))

    def _round(value: Any) -> Any:
        if not tf.as_dtype(value.dtype).is_floating or high <= low:
            return value
        return tf.quantization.fake_quant_with_min_max_args(value, min=low, max=high)

    with replaced_call(operation, call_and_round):
        yield


@contextmanager
def _frozen(layer: Any) -> Iterator[None]:
    before, layer.trainable = layer.trainable, False
    try:
        yield
    finally:
        layer.trainable = before
