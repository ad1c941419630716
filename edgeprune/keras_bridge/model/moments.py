"""What layers read and put out on data, as second moments: by these kernels are factorised."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.calling import call, replaced_call
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.prune.factors import Moments

_BATCH = 64


@dataclass(kw_only=True, slots=True)
class _Sums:
    """Of the vectors along a tensor's last axis, over all that was seen."""

    count: int = 0
    first: Any = 0.0
    second: Any = 0.0

    def add(self, tensor: Any) -> None:
        """All positions of all samples of a batch."""
        rows = np.asarray(tensor, np.float64).reshape(-1, tensor.shape[-1])
        self.count += len(rows)
        self.first = self.first + rows.sum(axis=0)
        self.second = self.second + rows.T @ rows


def measure_moments(
    model: Any, traced: Traced, *, layers: Collection[str], inputs: Sequence[Array]
) -> dict[str, Moments]:
    """Moments of these layers in inference mode, before their activations; of all calls of each together.

    None where the samples do not fill a batch of the size that the model has.

    Args:
        model: what to run; not changed.
        traced: its trace.
        layers: names of dense layers and convolutions, channels last.
        inputs: one array per model input, batch first.
    """
    sums = {name: (_Sums() if _has_window(traced.layers[name]) else None, _Sums()) for name in layers}
    size = model.inputs[0].shape[0]  # some models have a fixed batch size; what does not fill one is left
    count = len(inputs[0]) if size is None else len(inputs[0]) // size * size
    if not count:
        return {}
    with ExitStack() as stack:
        for name, (read, made) in sums.items():
            stack.enter_context(_watched(traced.layers[name], read=read, made=made))
        for start in range(0, count, size or _BATCH):
            batch = [x[start : start + (size or _BATCH)] for x in inputs]
            tensors = [tf.constant(x, t.dtype) for x, t in zip(batch, model.inputs, strict=True)]
            call(model, tensors, training=False)
    return {name: _conclude(traced.layers[name], *found) for name, found in sums.items()}


@contextmanager
def _watched(layer: Any, *, read: _Sums | None, made: _Sums) -> Iterator[None]:
    original, activation = layer.call, layer.activation

    def watch(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if read is not None:
            read.add(inputs)
        return original(inputs, *args, **kwargs)

    def activate(outputs: Any) -> Any:
        made.add(outputs)
        return activation(outputs)

    with replaced_call(layer, watch):
        layer.activation = activate
        try:
            yield
        finally:
            layer.activation = activation


def _has_window(layer: Any) -> bool:
    """Whether what is read matters by itself: a dense layer may read far too much for a square of it."""
    return max(getattr(layer, "kernel_size", (1,))) > 1


def _conclude(layer: Any, read: _Sums | None, made: _Sums) -> Moments:
    mean = made.first / made.count
    bias = 0.0 if layer.bias is None else np.asarray(layer.bias, np.float64)
    return Moments(
        read=None if read is None else read.second / read.count,
        mean=mean - bias,
        made=made.second / made.count - np.outer(mean, mean),
    )
