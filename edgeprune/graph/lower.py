"""From layers to the int8 TFLite ops they become, as the converter would write them.

The result feeds the cost models while a plan is being made; the figures that are reported come from the
converted file. BatchNormalization that follows a convolution or Dense is folded into it.
"""

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph, Node
from edgeprune.graph.layers.rules import rule_for
from edgeprune.graph.opshape import OpShape, Shape
from edgeprune.graph.surgery import Kept, describe

_FOLDS_BATCH_NORM = (
    *(f"Conv{rank}D" for rank in (1, 2, 3)),
    *(f"{kind}Conv{rank}D" for kind in ("Depthwise", "Separable") for rank in (1, 2)),
    "Dense",
)


class Lowering:
    """Lowers one graph again and again, as its channels go; unchanged layers are not lowered twice."""

    def __init__(self, graph: LayerGraph, channels: ChannelMap) -> None:
        self._graph, self._channels = graph, channels
        self._folded = _folded_nodes(graph)
        self._cache: dict[tuple[int, tuple[Shape, ...], tuple[Shape, ...]], tuple[OpShape, ...]] = {}

    def lower(self, kept: Kept) -> tuple[OpShape, ...]:
        """All ops, in execution order, once only `kept` groups remain."""
        return tuple(op for i in range(len(self._graph.nodes)) for op in self.lower_node(i, kept))

    def lower_node(self, index: int, kept: Kept) -> tuple[OpShape, ...]:
        """The ops of one node of the graph; empty where it is fused into another."""
        if index in self._folded:
            return ()
        node = self._graph.nodes[index]
        tensors = (*node.inputs, *node.outputs)
        shapes = {t: self._channels.resize(t, _fixed(self._graph.shapes[t]), kept=kept) for t in tensors}
        weight_shapes = _weight_shapes(self._graph, self._channels, node, kept)
        key = (index, tuple(shapes[t] for t in tensors), tuple(weight_shapes.values()))
        if key not in self._cache:
            layer = self._graph.layers[node.layer]
            resized = describe(layer, node, shapes, weight_shapes)
            self._cache[key] = rule_for(layer.kind).lower(resized)
        return self._cache[key]


def _fixed(shape: Shape) -> Shape:
    """The shape with 1 for each dimension that is open: the least there can be."""
    return tuple(1 if size is None else size for size in shape)


def _weight_shapes(graph: LayerGraph, channels: ChannelMap, node: Node, kept: Kept) -> dict[str, Shape]:
    """Weight shapes of one layer once only `kept` groups remain: no weight needs to be touched."""
    axes = channels.axes.get(node.layer, {})
    found = {}
    for name, array in graph.layers[node.layer].weights.items():
        by_axis = axes.get(name) or (None,) * array.ndim
        found[name] = tuple(
            size if groups is None else int(np.count_nonzero(kept[groups]))
            for size, groups in zip(array.shape, by_axis, strict=True)
        )
    return found


def _folded_nodes(graph: LayerGraph) -> frozenset[int]:
    consumers = graph.consumers()
    makers = {t: node for node in graph.nodes for t in node.outputs}
    folded = set()
    for i, node in enumerate(graph.nodes):
        layer = graph.layers[node.layer]
        if layer.kind != "BatchNormalization":
            continue
        maker = makers.get(node.inputs[0])
        if (
            maker
            and graph.layers[maker.layer].kind in _FOLDS_BATCH_NORM
            and len(consumers[node.inputs[0]]) == 1
        ):
            folded.add(i)
    return frozenset(folded)


def count_macs(ops: tuple[OpShape, ...]) -> int:
    """Multiply-accumulates of one inference."""
    return sum(op.macs for op in ops)
