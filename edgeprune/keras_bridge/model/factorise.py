"""Layers of a Keras model replaced by the two or three that their factors are, the last under the old name.

    dense "fc"      →  dense "fc_low_rank" → dense "fc"
    convolution     →  convolution "c_low_rank" → 1 × 1 convolution "c"                       (SVD)
                    →  1 × 1 convolution "c_low_rank_in" → convolution "c_low_rank" → 1 × 1 convolution "c"

The last keeps the name, the bias and the activation, so that patterns, limits and whatever follows still mean
it. A layer that is called twice is replaced in both places by the same layers. Nested models are unfolded,
and a Sequential model becomes a Functional one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import find_layers
from edgeprune.graph.layergraph import Array, Layer, LayerGraph, Node, Read
from edgeprune.keras_bridge.model.bypassing import assemble
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.prune.factors import Factors

_EXAMPLES = {
    "Dense": keras.layers.Dense(1),
    "Conv1D": keras.layers.Conv1D(1, 1),
    "Conv2D": keras.layers.Conv2D(1, 1),
}
"""What factors are remade from: a layer of the user's own class is factorised into plain ones and itself."""
_MIDDLE, _FIRST = "_low_rank", "_low_rank_in"


def factorise(model: keras.Model, traced: Traced, *, factors: Mapping[str, Factors]) -> keras.Model:
    """A model with some layers factorised, not compiled.

    Args:
        model: the original; not changed.
        traced: its trace.
        factors: by layer, of those that `list_factorable` names.
    """
    graph, layers = traced.graph, dict(traced.layers)
    for name, found in factors.items():
        chain = _split(graph.layers[name], found)
        graph = _replace(graph, name, chain)
        layers |= {layer.name: _EXAMPLES[layer.kind] for layer in chain[:-1]}
    return assemble(model, replace(traced, layers=layers), graph=graph)


def list_factorable(traced: Traced, channels: ChannelMap, *, keep: tuple[str, ...]) -> dict[str, str]:
    """Dense layers and convolutions → why each cannot be factorised, "" where it can.

    Args:
        traced: of a model.
        channels: of its graph.
        keep: patterns of names of layers that are left as they are.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    kept = {name for p in keep for name in find_layers(channels, p, asked_by=f"--keep {p}")}
    return {
        name: "asked to be kept" if name in kept else _refuse(layer, traced)
        for name, layer in traced.graph.layers.items()
        if layer.kind in _EXAMPLES
    }


def _refuse(layer: Layer, traced: Traced) -> str:
    config = layer.config
    made = {f"{layer.name}{suffix}" for suffix in (_MIDDLE, _FIRST)}
    reasons = {
        "it has been factorised": not made.isdisjoint(traced.graph.layers),
        "it has weights beside kernel and bias": not set(layer.weights) <= {"kernel", "bias"},
        "its channels come first": config.get("data_format") == "channels_first",
        "its channels are in groups": config.get("groups", 1) != 1,
        "its kernel is constrained": config.get("kernel_constraint") is not None,
        "it is frozen, and cannot be fine-tuned": not traced.layers[layer.name].trainable,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _split(layer: Layer, factors: Factors) -> tuple[Layer, ...]:
    """The layers that take the place of one."""
    *inner, last = factors.kernels
    names = [f"{layer.name}{suffix}" for suffix in ((_FIRST, _MIDDLE) if len(inner) == 2 else (_MIDDLE,))]
    chain = [
        Layer(
            name=name,
            kind=layer.kind,
            config=_shape(layer, kernel, has_window=i == len(inner) - 1)
            | {"name": name, "dtype": layer.config["dtype"], "use_bias": False},
            weights={"kernel": kernel},
        )
        for i, (name, kernel) in enumerate(zip(names, inner, strict=True))
    ]
    bias = {} if factors.bias is None else {"bias": factors.bias}
    config = {**layer.config, **_shape(layer, last, has_window=False), "use_bias": bool(bias)}
    return (*chain, replace(layer, config=config, weights={"kernel": last, **bias}))


def _shape(layer: Layer, kernel: Array, *, has_window: bool) -> dict[str, Any]:
    """What the config of a factor says of its kernel; strides, dilation and padding go with the window."""
    *window, _, made = kernel.shape
    if layer.kind == "Dense":
        return {"units": made}
    ones = (1,) * len(window)
    there = {key: layer.config[key] for key in ("strides", "dilation_rate", "padding")}
    here = there if has_window else {"strides": ones, "dilation_rate": ones, "padding": "valid"}
    return {"filters": made, "kernel_size": tuple(window), **here}


def _replace(graph: LayerGraph, name: str, chain: tuple[Layer, ...]) -> LayerGraph:
    """The graph with one layer's calls made by a chain of layers."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.layer != name:
            nodes.append(node)
            continue
        (read,), (made,) = node.inputs, node.outputs
        argument = next(key for key, value in node.arguments.items() if isinstance(value, Read))
        for layer in chain:
            output = made if layer is chain[-1] else f"{made}/{layer.name}"
            nodes.append(
                Node(layer=layer.name, inputs=(read,), outputs=(output,), arguments={argument: Read(index=0)})
            )
            read = output
    layers = {**graph.layers, **{layer.name: layer for layer in chain}}
    return replace(graph, layers=layers, nodes=tuple(nodes))
