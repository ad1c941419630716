"""Layers that keep statistics of what they saw in training, compared with what they see now."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
    watched = [layer for layer in model._flatten_layers(include_self=False) if _can_tell(layer)]
    found: list[tuple[str, float]] = []
    size = model.inputs[0].shape[0]  # some models have a fixed batch size
    few = [tf.constant(x[: size or _SAMPLES], t.dtype) for x, t in zip(inputs, model.inputs, strict=True)]
    if not watched or (size or 0) > len(inputs[0]):
        return "", None
    with ExitStack() as stack:
        for layer in watched:
            stack.enter_context(_watched(layer, found))
        with suppress(_Told):
            call(model, few, training=False)
    return found[0] if found else ("", None)


class _Told(Exception):  # noqa: N818  (no error)
    """A layer has told: what comes after it need not be computed."""


def _can_tell(layer: Any) -> bool:
    if isinstance(layer, layers.BatchNormalization):
        return not (np.asarray(layer.moving_variance) == 1).all()  # it was trained
    if isinstance(layer, layers.Normalization):
        return not (np.asarray(layer.variance) == 1).all()
    return isinstance(layer, layers.Rescaling)


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
    channels = {axis % values.ndim for axis in axes}
    others = tuple(i for i in range(values.ndim) if i not in channels)
    variance = values.var(axis=others, dtype=np.float64).reshape(-1)
    known = (stored > _LEAST_VARIANCE) & (variance > _LEAST_VARIANCE * max(1.0, float(variance.max())))
    if not known.any():
        return None
    return float(np.sqrt(np.median(stored[known] / variance[known])))


@contextmanager
def _watched(layer: Any, found: list[tuple[str, float]]) -> Iterator[None]:
    """While the block runs, the layer's first input is compared, and where that tells, `_Told` is raised."""
    original = layer.call
    compared: list[bool] = []

    def watch(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not compared:
            compared.append(True)
            scale = _compare(layer, np.asarray(inputs, np.float32))
            if scale is not None:
                found.append((layer.name, scale))
                raise _Told
        return original(inputs, *args, **kwargs)

    with replaced_call(layer, watch):
        yield
