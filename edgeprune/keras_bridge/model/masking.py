"""The original model with channels switched off in place: what the compacted one is compared with.

Zeroing a channel's weights is enough for most layers. Where a layer sums over channels without weights of
its own, the channel must also be zero in front of it (a sigmoid makes 0.5 of nothing); and a layer that takes
mean and variance over channels takes them over those that remain, as the compacted one will.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph, Node
from edgeprune.graph.layers.rules import rule_for
from edgeprune.graph.opshape import Shape
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.model.calling import replaced_call
from edgeprune.keras_bridge.model.trace import Traced

Alive = Callable[[list[int]], Any]
"""Axes → 1 where an element stays along all of them, 0 elsewhere; broadcastable to the layer's input."""


@contextmanager
def switch_off(traced: Traced, channels: ChannelMap, *, kept: Kept) -> Iterator[None]:
    """While the block runs, layers whose rule asks for it see or give zeros where channels are gone."""
    with ExitStack() as stack:
        for name, operation in traced.layers.items():
            rule = rule_for(traced.graph.layers[name].kind)
            if rule.reads_values or rule.zero_is_undefined:
                nodes = [node for node in traced.graph.nodes if node.layer == name]
                stack.enter_context(_replaced_call(operation, nodes, traced.graph, channels, kept))
        yield


@contextmanager
def _replaced_call(
    operation: Any, nodes: list[Node], graph: LayerGraph, channels: ChannelMap, kept: Kept
) -> Iterator[None]:
    original, count = operation.call, 0
    kind = graph.layers[nodes[0].layer].kind
    normalise, undefined = _NORMALISERS.get(kind), rule_for(kind).zero_is_undefined
    called = [(made.arguments.args, made.arguments.kwargs) for made in operation._inbound_nodes]
    constants = {id(x) for x in keras.tree.flatten(called)}

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        node = nodes[count % len(nodes)]
        count += 1
        masks = iter([_mask(channels, tensor, graph.shapes[tensor], kept) for tensor in node.inputs])

        def mask(value: Any) -> Any:
            if not tf.is_tensor(value) or id(value) in constants:
                return value
            alive = next(masks, None)
            return value if alive is None else value * tf.cast(alive, value.dtype)

        args, kwargs = keras.tree.map_structure(mask, (args, kwargs))
        if undefined:
            alive_after = _mask(channels, node.outputs[0], graph.shapes[node.outputs[0]], kept)
            y = original(*args, **kwargs)
            return y if alive_after is None else tf.where(alive_after > 0, y, tf.zeros_like(y))
        if normalise is None:
            return original(*args, **kwargs)
        read = node.inputs[0]

        def alive(axes: list[int]) -> Any:
            mask = _mask(channels, read, graph.shapes[read], kept, along=axes)
            return tf.constant(np.ones((1,) * len(args[0].shape)) if mask is None else mask, args[0].dtype)

        return normalise(operation, args[0], alive)

    with replaced_call(operation, call):
        yield


def _mask(
    channels: ChannelMap, tensor: str, shape: Shape, kept: Kept, *, along: Collection[int] | None = None
) -> Any:
    """1 where an element stays, 0 where it goes, broadcastable to a batch of the tensor; None if all stay.

    With `along`, what goes along axes other than these (batch is axis 0) counts as staying.
    """
    mask = np.ones((1,) * (len(shape) + 1))
    groups = channels.along(tensor)
    for axis, ids in enumerate(groups, start=len(shape) + 1 - len(groups)):
        if ids is not None and (along is None or axis in along):
            mask = mask * kept[ids].reshape([-1 if k == axis else 1 for k in range(len(shape) + 1)])
    return None if mask.all() else mask


def _normalise_layer(layer: Any, x: Any, alive: Alive) -> Any:
    """Layer normalisation over the channels that remain."""
    axes = [axis % len(x.shape) for axis in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)]
    y = _standardise(x, alive(axes), axes, layer.epsilon, centre=not layer.rms_scaling)
    return _scale_and_shift(layer, y, axes)


def _normalise_groups(layer: Any, x: Any, alive: Alive) -> Any:
    """Group normalisation: whole groups go, so that only a single one loses channels."""
    if layer.groups > 1:
        return type(layer).call(layer, x)
    axes = list(range(1, len(x.shape)))
    y = _standardise(x, alive(axes), axes, layer.epsilon)
    return _scale_and_shift(layer, y, [layer.axis % len(x.shape)])


def _standardise(x: Any, alive: Any, axes: list[int], epsilon: float, *, centre: bool = True) -> Any:
    """(x - mean) / deviation with both taken where `alive` is 1; without the mean if not to be centred."""
    share = tf.reduce_mean(alive, axes, keepdims=True)
    mean = tf.reduce_mean(x * alive, axes, keepdims=True) / share
    variance = tf.reduce_mean(((x - mean) * alive) ** 2, axes, keepdims=True) / share
    return (x - mean if centre else x) * alive / tf.sqrt(variance + epsilon)


def _scale_and_shift(layer: Any, y: Any, axes: list[int]) -> Any:
    shape = [size if axis in axes else 1 for axis, size in enumerate(y.shape)]
    if layer.gamma is not None:
        y = y * tf.reshape(tf.convert_to_tensor(layer.gamma), shape)
    if layer.beta is not None:
        y = y + tf.reshape(tf.convert_to_tensor(layer.beta), shape)
    return y


def _reduce(operation: Any, x: Any, alive: Alive) -> Any:
    """Mean, variance or extremes over the channels that remain."""
    kind, rank = type(operation).__name__, len(x.shape)
    given = range(rank) if operation.axis is None else np.atleast_1d(operation.axis)
    axes = [int(axis) % rank for axis in given]
    here = alive(axes)
    if kind in ("Max", "Amax"):
        y = tf.reduce_max(tf.where(here > 0, x, x.dtype.min), axes, keepdims=True)
    elif kind in ("Min", "Amin"):
        y = tf.reduce_min(tf.where(here > 0, x, x.dtype.max), axes, keepdims=True)
    else:
        share = tf.reduce_mean(here, axes, keepdims=True)
        mean = tf.reduce_mean(x * here, axes, keepdims=True) / share
        variance = tf.reduce_mean(((x - mean) * here) ** 2, axes, keepdims=True) / share
        y = {"Mean": mean, "Var": variance, "Std": tf.sqrt(variance)}[kind]
    return y if operation.keepdims else tf.squeeze(y, axes)


_NORMALISERS: dict[str, Callable[[Any, Any, Alive], Any]] = {
    "LayerNormalization": _normalise_layer,
    "GroupNormalization": _normalise_groups,
    **{f"ops.{kind}": _reduce for kind in ("Amax", "Amin", "Max", "Mean", "Min", "Std", "Var")},
}
"""Layer kind → (layer, masked input, what is alive along given axes) → masked output."""
