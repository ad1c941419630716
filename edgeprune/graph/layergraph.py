"""The layer graph: a Keras model as plain values, without Keras.

Tensors have names; shapes leave the batch out. A layer that is called twice is one `Layer` and two `Node`s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from edgeprune.graph.opshape import Shape

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One Keras layer, or one operation of `keras.ops`.

    Attributes:
        name: unique in the graph; layers of nested models carry the path, "encoder/conv".
        kind: the Keras class name; of an operation with "ops." in front.
        config: `layer.get_config()`.
        weights: arrays in Keras' order, by their short names ("kernel") where these are unique in the layer,
            else by their paths inside it ("query/kernel").
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    weights: Weights = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """Stands for a tensor among the arguments of a call: input number `index` of the node."""

    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One call of a layer.

    Attributes:
        layer: name of the layer.
        inputs, outputs: the tensors it reads and writes.
        arguments: of the call, by their names in `layer.call`, defaults left out. Tensors stand as `Read`.
    """

    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerGraph:
    """Layers, their calls in an order that can be executed, and the shapes of all tensors.

    Attributes:
        shapes: tensor name to shape without batch; None stands for a dimension that is not fixed.
    """

    layers: Mapping[str, Layer]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, Shape]

    @property
    def params(self) -> int:
        """Number of weights, trainable or not."""
        return sum(int(w.size) for layer in self.layers.values() for w in layer.weights.values())

    def consumers(self) -> dict[str, list[Node]]:
        """For each tensor the nodes that read it."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for tensor in node.inputs:
                readers.setdefault(tensor, []).append(node)
        return readers
