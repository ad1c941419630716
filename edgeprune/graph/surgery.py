"""Removing groups of channels from a layer graph, or zeroing them in place.

Both read the same `ChannelMap`: removal takes the kept slices of every weight axis, masking zeroes the
others. On the same input the two give the same output; `keras_bridge.rebuild` proves it on the real models.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeprune.graph.arguments import find_arrays, replace_arguments
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, Layer, LayerGraph, Node
from edgeprune.graph.layers.rules import Resized, rule_for
from edgeprune.graph.opshape import Shape

Kept = npt.NDArray[np.bool_]


def remove_channels(graph: LayerGraph, channels: ChannelMap, *, kept: Kept) -> LayerGraph:
    """The graph without the groups that are not in `kept`.

    Args:
        graph: the graph.
        channels: its channel map.
        kept: (groups,) True for each group that stays; frozen groups must.

    Raises:
        ValueError: a frozen group would go.
    """
    lost = [reason for reason, keep in zip(channels.frozen, kept, strict=True) if reason and not keep]
    if lost:
        raise ValueError(f"a channel that must stay would be removed: {lost[0]}")
    shapes = resize_shapes(graph, channels, kept=kept)
    first_call = {node.layer: node for node in reversed(graph.nodes)}
    layers: dict[str, Layer] = {}
    readdressed: dict[str, Mapping[str, Any]] = {}
    for name, layer in graph.layers.items():
        axes = channels.axes.get(name, {})
        weights = {w: _take(array, axes.get(w), kept) for w, array in layer.weights.items()}
        weight_shapes = {w: tuple(array.shape) for w, array in weights.items()}
        changed: dict[str, object] = {}
        if name in first_call:
            node = first_call[name]
            resized = replace(
                describe(layer, node, shapes, weight_shapes),
                kept=_kept_of_inputs(graph, node, channels, kept),
            )
            rule = rule_for(layer.kind)
            readdressed[name] = rule.readdress(resized)
            changed = dict(rule.resize(resized))
            for w, factor in rule.rescale(resized).items():
                weights[w] = (weights[w] * factor).astype(weights[w].dtype)
        layers[name] = replace(layer, weights=weights, config={**layer.config, **changed})
    nodes = []
    for node in graph.nodes:
        by_path = channels.arguments.get(node.layer, {})
        sliced = {p: _take(a, by_path.get(p), kept) for p, a in find_arrays(node.arguments).items()}
        new = replace_arguments(node.arguments, {**sliced, **readdressed[node.layer]})
        nodes.append(replace(node, arguments=new))
    return replace(graph, layers=layers, nodes=tuple(nodes), shapes=shapes)


def mask_channels(graph: LayerGraph, channels: ChannelMap, *, kept: Kept) -> LayerGraph:
    """The same graph with every weight slice of every group that is not in `kept` set to zero."""
    layers = {}
    for name, layer in graph.layers.items():
        axes = channels.axes.get(name, {})
        weights = {}
        for w, array in layer.weights.items():
            masked = array.copy()
            for axis, groups in enumerate(axes.get(w) or ()):
                if groups is not None:
                    masked[(slice(None),) * axis + (~kept[groups],)] = 0
            weights[w] = masked
        layers[name] = replace(layer, weights=weights)
    return replace(graph, layers=layers)


def resize_shapes(graph: LayerGraph, channels: ChannelMap, *, kept: Kept) -> dict[str, Shape]:
    """The shapes of all tensors once only `kept` groups remain."""
    return {name: channels.resize(name, shape, kept=kept) for name, shape in graph.shapes.items()}


def describe(layer: Layer, node: Node, shapes: dict[str, Shape], weight_shapes: dict[str, Shape]) -> Resized:
    """A call of a layer as `resize` and `lower` of its rule see it."""
    return Resized(
        name=layer.name,
        kind=layer.kind,
        config=layer.config,
        weight_shapes=weight_shapes,
        old_weight_shapes={w: tuple(array.shape) for w, array in layer.weights.items()},
        input_shapes=tuple(shapes[t] for t in node.inputs),
        output_shapes=tuple(shapes[t] for t in node.outputs),
        arguments=node.arguments,
    )


def _kept_of_inputs(
    graph: LayerGraph, node: Node, channels: ChannelMap, kept: Kept
) -> tuple[tuple[npt.NDArray[np.bool_] | None, ...], ...]:
    found = []
    for tensor in node.inputs:
        along = channels.along(tensor)
        missing = (None,) * (len(graph.shapes[tensor]) - len(along))
        found.append((*missing, *(None if groups is None else kept[groups] for groups in along)))
    return tuple(found)


def _take(array: Array, axes: tuple[npt.NDArray[np.int64] | None, ...] | None, kept: Kept) -> Array:
    for axis, groups in enumerate(axes or ()):
        if groups is not None and not kept[groups].all():
            array = np.compress(kept[groups], array, axis=axis)
    return array
