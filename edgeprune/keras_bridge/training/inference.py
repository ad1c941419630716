"""Models run as they are used: outputs, masks, and BatchNorm statistics that fit the data."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.batches import Arrays, Source
from edgeprune.keras_bridge.model.calling import call

_AT_ONCE = 2**29
"""Bytes of activations."""


def feed(model: keras.Model, x: Sequence[Array]) -> list[Array]:
    """Arrays of the types that the model's inputs have; floats are float32."""
    return [
        np.asarray(array).astype("float32" if "float" in str(tensor.dtype) else tensor.dtype, copy=False)
        for array, tensor in zip(x, model.inputs, strict=True)
    ]


def predict(model: keras.Model, inputs: Sequence[Array], *, batch_size: int = 256) -> list[Array]:
    """Outputs of the model in inference mode, one array per output, (samples, ...) float32."""
    return predict_masked(model, inputs, batch_size=batch_size)[0]


def predict_masked(
    model: keras.Model, inputs: Sequence[Array], *, batch_size: int = 256
) -> tuple[list[Array], list[Array | None]]:
    """The outputs, and which places of each count, as Masking and Embedding layers say it; None for all."""
    infer = _inference(model)
    batch_size = bound_batch(model, inputs, batch_size)
    pieces, masks = [], []
    for i in range(0, len(inputs[0]), batch_size):
        batch = [tf.constant(x) for x in feed(model, [x[i : i + batch_size] for x in inputs])]
        outputs, found = infer(batch)
        pieces.append([np.asarray(y) for y in outputs])
        masks.append([None if mask is None else np.asarray(mask) for mask in found])
    joined = [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]
    whole = [None if each[0] is None else np.concatenate(each) for each in zip(*masks, strict=True)]
    return joined, whole


def predict_once(model: keras.Model, inputs: Sequence[Array]) -> list[Array]:
    """As `predict`, of a model that is not asked again: without compiling it."""
    size, pieces = bound_batch(model, inputs, len(inputs[0])), []
    for i in range(0, len(inputs[0]), size):
        batch = list(map(tf.constant, feed(model, [x[i : i + size] for x in inputs])))
        pieces.append([np.asarray(y) for y in call(model, batch, training=False)])
    return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]


def bound_batch(model: keras.Model, inputs: Sequence[Array], most: int) -> int:
    """At most so many samples at a time that what all layers give for them takes half a GiB.

    Args:
        model: Functional or Sequential.
        inputs: one array per model input, which say how long an axis is that the model leaves open.
        most: where memory does not bind, or the model has a batch size of its own.
    """
    if model.inputs[0].shape[0] is not None:
        return most
    open_axis = max((size for x in inputs for size in x.shape[1:]), default=1)
    given = {
        id(tensor): prod(open_axis if size is None else size for size in tensor.shape[1:])
        for layer in model._flatten_layers()
        for node in layer._inbound_nodes
        for tensor in node.output_tensors
    }
    return max(1, min(most, _AT_ONCE // max(1, 4 * sum(given.values()))))


@lru_cache(maxsize=2)
def _inference(model: keras.Model) -> Callable[..., Any]:
    """The model as a compiled function; kept, because the same models are asked again and again."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def infer(batch: Any) -> Any:
        outputs = call(model, batch, training=False)
        return outputs, [getattr(output, "_keras_mask", None) for output in outputs]

    return infer  # type: ignore[no-any-return]


@lru_cache(maxsize=2)
def _observation(model: keras.Model) -> Callable[..., Any]:
    """The same for training mode, in which layers keep statistics: they are asked again after every round.

    Momenta are part of what is compiled, so that all callers must have set the same.
    """

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def observe(batch: Any) -> None:
        call(model, batch, training=True)

    return observe  # type: ignore[no-any-return]


def forget_compiled() -> None:
    """Forgets the functions that models were compiled into: for when layers compute something else."""
    _inference.cache_clear()
    _observation.cache_clear()


def has_masks(model: keras.Model, inputs: Arrays) -> bool:
    """Whether some places of an output do not count."""
    return any(mask is not None for mask in predict_masked(model, [x[:1] for x in inputs])[1])


def reestimate_batch_norm(
    model: keras.Model, source: Source, *, batch_size: int = 128, batches: int = 16, seed: int
) -> int:
    """Sets the moving statistics of all BatchNormalization layers to their mean over some training batches.

    Returns:
        The number of layers re-estimated; 0 leaves the model as it was.
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not layers:
        return 0
    statistics = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # what a batch leaves behind is its own

    observe = _observation(model)
    count = min(batches, max(1, 2 * source.samples // batch_size))
    totals = [np.zeros(variable.shape, np.float64) for variable in statistics]
    for i in range(count):
        x = source.draw(i, size=batch_size, seed=seed).x
        observe([tf.constant(array) for array in feed(model, x)])
        for total, variable in zip(totals, statistics, strict=True):
            total += np.asarray(variable)
    for variable, total in zip(statistics, totals, strict=True):
        variable.assign((total / count).astype(np.float32))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return len(layers)
