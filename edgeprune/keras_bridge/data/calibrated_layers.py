"""Layers that keep statistics of what they saw in training, compared with what they see now."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.calling import call, replaced_call

_SAMPLES = 64
_LEAST_VARIANCE = 1e-9
_FAINT = 0.02
"""What follows a Rescaling layer should reach 1 or so; it does not if the data were scaled before."""


def find_scale(model: keras.Model, inputs: Sequence[Array]) -> tuple[str, float | None]:
    """The first layer that can tell, and how much larger its inputs were in training than on these samples.

    BatchNormalization and Normalization keep the variance of their inputs, channel by channel; a Rescaling
    layer by a small factor expects large values.

    Args:
        model: Functional or Sequential.
        inputs: one array per model input, (samples, ...).

    Returns:
        The layer's name and the ratio of standard deviations; ("", None) where no layer can tell.
    """
    watched = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, layers.BatchNormalization | layers.Normalization | layers.Rescaling)
    ]
    seen: dict[str, Array] = {}
    size = model.inputs[0].shape[0]  # some models have a fixed batch size
    few = [tf.constant(x[: size or _SAMPLES], t.dtype) for x, t in zip(inputs, model.inputs, strict=True)]
    if not watched or (size or 0) > len(inputs[0]):
        return "", None
    with ExitStack() as stack:
        for layer in watched:
            stack.enter_context(_watched(layer, seen))
        call(model, few, training=False)
    by_name = {layer.name: layer for layer in watched}
    for name, values in seen.items():  # in the order they were called
        scale = _compare(by_name[name], values)
        if scale is not None:
            return name, scale
    return "", None


def _compare(layer: Any, values: Array) -> float | None:
    """How much larger the layer's inputs were in training; None where it cannot tell."""
    if isinstance(layer, layers.Rescaling):
        reached = float(np.abs(values).max() * np.abs(np.asarray(layer.scale)).max())
        # To -1..1 with an offset, to 0..1 without.
        return (2 if np.any(layer.offset) else 1) / reached if 0 < reached < _FAINT else None
    if isinstance(layer, layers.Normalization):
        kept, axes = layer.variance, layer.axis
    else:
        kept, axes = layer.moving_variance, (layer.axis,)
    stored = np.asarray(kept).reshape(-1)
    if (stored == 1).all():  # never trained
        return None
    channels = {axis % values.ndim for axis in axes}
    variance = values.var(axis=tuple(i for i in range(values.ndim) if i not in channels)).reshape(-1)
    known = (stored > _LEAST_VARIANCE) & (variance > _LEAST_VARIANCE * max(1.0, float(variance.max())))
    if not known.any():
        return None
    return float(np.sqrt(np.median(stored[known] / variance[known])))


@contextmanager
def _watched(layer: Any, seen: dict[str, Array]) -> Iterator[None]:
    """While the block runs, the layer's first input is kept under its name."""
    original = layer.call

    def watch(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.setdefault(layer.name, np.asarray(inputs, np.float64))
        return original(inputs, *args, **kwargs)

    with replaced_call(layer, watch):
        yield
