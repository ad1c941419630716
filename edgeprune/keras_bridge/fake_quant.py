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

from edgeprune.graph.channels import name_channels
from edgeprune.graph.kernels import Kernel, find_kernels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.keras_bridge.observe import observe
from edgeprune.keras_bridge.trace import trace

_FUSED_AFTER = ("BatchNormalization", "Activation", "ReLU")
_FIXED_RANGE = ("Softmax",)
_STEPS = 127


class GridCallback(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Keeps kernels on the 8-bit grid of each output while a model trains, whatever the optimizer.

    As with clusters, steps are added to weights that are not rounded and that this callback keeps.
    BatchNormalization scales whole outputs and so does not move weights on their grid.
    """

    def __init__(self) -> None:
        """Get ready; the model comes with `set_model`, as `fit` does it."""
        super().__init__()
        self._variables: dict[Kernel, Any] = {}

    def set_model(self, model: keras.Model) -> None:
        """Finds the model's kernels and rounds them."""
        if self._model is model:
            return
        super().set_model(model)
        traced = trace(model)
        self._variables.clear()
        for kernel in find_kernels(traced.graph, name_channels(traced.graph)):
            names = list(traced.graph.layers[kernel.layer].weights)
            self._variables[kernel] = traced.layers[kernel.layer].weights[names.index(kernel.weight)]
        self._free = {kernel: np.asarray(variable) for kernel, variable in self._variables.items()}
        self._made = dict(self._free)
        self.on_train_batch_end(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds the optimizer's step to the free weights, and rounds what comes out."""
        for kernel, variable in self._variables.items():
            self._free[kernel] = self._free[kernel] + (np.asarray(variable) - self._made[kernel])
            rows = kernel.to_matrix(self._free[kernel])
            step = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / _STEPS
            self._made[kernel] = kernel.from_matrix((np.rint(rows / step) * step).astype(rows.dtype))
            variable.assign(self._made[kernel])

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the weights as they are without rounding, for the converter to round."""
        for kernel, variable in self._variables.items():
            variable.assign(self._free[kernel])


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

    operation.call = call_and_round
    try:
        yield
    finally:
        del operation.call


@contextmanager
def _frozen(layer: Any) -> Iterator[None]:
    before, layer.trainable = layer.trainable, False
    try:
        yield
    finally:
        layer.trainable = before
