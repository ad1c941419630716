"""Layer graphs written down as lists, so that ids and costs can be followed with a pencil."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeprune.graph.layergraph import Layer, LayerGraph, Node


@dataclass(frozen=True)
class Made:
    """One call of a layer; the tensor it makes has the name of the layer (or `tensor`)."""

    name: str
    kind: str
    inputs: Sequence[str]
    shape: tuple[int, ...]
    config: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tensor: str = ""


def graph_of(inputs: dict[str, tuple[int, ...]], *calls: Made, outputs: Sequence[str] = ()) -> LayerGraph:
    """The graph; weights count up from 1 in each layer. The last tensor is the output if none is given."""
    layers, nodes, shapes = {}, [], dict(inputs)
    for call in calls:
        tensor = call.tensor or call.name
        shapes[tensor] = call.shape
        nodes.append(Node(layer=call.name, inputs=tuple(call.inputs), outputs=(tensor,)))
        if call.name not in layers:
            weights = {
                name: np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
                for name, shape in call.weights.items()
            }
            layers[call.name] = Layer(name=call.name, kind=call.kind, config=call.config, weights=weights)
    last = tuple(outputs) or (nodes[-1].outputs[0],)
    return LayerGraph(layers=layers, nodes=tuple(nodes), inputs=tuple(inputs), outputs=last, shapes=shapes)


def conv(name: str, source: str, *, cin: int, cout: int, size: int = 4, **config: Any) -> Made:
    """A 1 × 1 convolution with bias on a size × size image."""
    settings = {"strides": (1, 1), "dilation_rate": (1, 1), "padding": "same", "filters": cout, **config}
    weights = {"kernel": (1, 1, cin, cout), "bias": (cout,)}
    return Made(name, "Conv2D", [source], (size, size, cout), settings, weights)


def dense(name: str, source: str, *, cin: int, cout: int, **config: Any) -> Made:
    return Made(name, "Dense", [source], (cout,), config, {"kernel": (cin, cout), "bias": (cout,)})


def depthwise(name: str, source: str, *, cin: int, multiplier: int = 1, size: int = 4) -> Made:
    settings = {"strides": (1, 1), "dilation_rate": (1, 1), "padding": "same", "depth_multiplier": multiplier}
    weights = {"kernel": (3, 3, cin, multiplier), "bias": (cin * multiplier,)}
    return Made(name, "DepthwiseConv2D", [source], (size, size, cin * multiplier), settings, weights)
