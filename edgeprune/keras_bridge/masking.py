"""The original model with channels switched off in place: what the compacted one is compared with.

Zeroing a channel's weights is enough for most layers. Where a layer sums over channels without weights of
its own, the channel must also be zero in front of it (a sigmoid makes 0.5 of nothing); and a layer that takes
mean and variance over channels takes them over those that remain, as the compacted one will.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph, Node
from edgeprune.graph.opshape import Shape
from edgeprune.graph.rules import rule_for
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.trace import Traced


@contextmanager
def switch_off(traced: Traced, channels: ChannelMap, *, kept: Kept) -> Iterator[None]:
    """While the block runs, layers whose rule has `reads_values` see zeros where channels are gone."""
    with ExitStack() as stack:
        for name, operation in traced.layers.items():
            if rule_for(traced.graph.layers[name].kind).reads_values:
                nodes = [node for node in traced.graph.nodes if node.layer == name]
                stack.enter_context(_replaced_call(operation, nodes, traced.graph, channels, kept))
        yield


@contextmanager
def _replaced_call(
    operation: Any, nodes: list[Node], graph: LayerGraph, channels: ChannelMap, kept: Kept
) -> Iterator[None]:
    original, count = operation.call, 0
    normalise = _NORMALISERS.get(graph.layers[nodes[0].layer].kind)

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        node = nodes[count % len(nodes)]
        count += 1
        masks = iter([_mask(channels, tensor, graph.shapes[tensor], kept) for tensor in node.inputs])

        def mask(value: Any) -> Any:
            if not tf.is_tensor(value):
                return value
            alive = next(masks, None)
            return value if alive is None else value * tf.cast(alive, value.dtype)

        args, kwargs = keras.tree.map_structure(mask, (args, kwargs))
        if normalise is None:
            return original(*args, **kwargs)
        return normalise(operation, args[0], kept[channels.tensors[node.inputs[0]]])

    operation.call = call
    try:
        yield
    finally:
        del operation.call


def _mask(channels: ChannelMap, tensor: str, shape: Shape, kept: Kept) -> Any:
    """1 where an element stays, 0 where it goes, broadcastable to a batch of the tensor; None if all stay."""
    mask = np.ones((1,) * (len(shape) + 1))
    groups = channels.along(tensor)
    for axis, ids in enumerate(groups, start=len(shape) + 1 - len(groups)):
        if ids is not None:
            mask = mask * kept[ids].reshape([-1 if k == axis else 1 for k in range(len(shape) + 1)])
    return None if mask.all() else mask


def _normalise_layer(layer: Any, x: Any, alive: Any) -> Any:
    """Layer normalisation over the channels that remain; zeros elsewhere."""
    axes = [axis % len(x.shape) for axis in ([layer.axis] if isinstance(layer.axis, int) else layer.axis)]
    share = tf.constant(alive, x.dtype)
    mean = tf.reduce_mean(x * share, axes, keepdims=True) / tf.reduce_mean(share)
    centred = (x - mean) * share
    variance = tf.reduce_mean(centred**2, axes, keepdims=True) / tf.reduce_mean(share)
    y = centred / tf.sqrt(variance + layer.epsilon)
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    if layer.gamma is not None:
        y = y * tf.reshape(tf.convert_to_tensor(layer.gamma), shape)
    if layer.beta is not None:
        y = y + tf.reshape(tf.convert_to_tensor(layer.beta), shape)
    return y * share


_NORMALISERS: dict[str, Callable[[Any, Any, Any], Any]] = {"LayerNormalization": _normalise_layer}
"""Layer kind → (layer, masked input, (channels,) True where the channel stays) → masked output."""
