"""Which tensors are alive when: what the activations need at once, before any arena is planned."""

from collections.abc import Mapping
from math import prod

from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.opshape import Shape

# Layers that the converter fuses or drops: their output takes the place of their input.
_IN_PLACE = ("BatchNormalization", "Activation", "ReLU", "Dropout", "Flatten", "Reshape")


def live_ranges(graph: LayerGraph) -> dict[str, range]:
    """Tensor name → the indices of the nodes while which it is alive."""
    first = dict.fromkeys(graph.inputs, 0)
    first.update((tensor, i) for i, node in enumerate(graph.nodes) for tensor in node.outputs)
    stop = {tensor: start + 1 for tensor, start in first.items()}  # a tensor that nothing reads
    for i, node in enumerate(graph.nodes):
        stop.update((tensor, i + 1) for tensor in node.inputs)
        if graph.layers[node.layer].kind in _IN_PLACE:
            stop.update((tensor, i) for tensor in node.inputs[:1])
    stop.update(dict.fromkeys(graph.outputs, len(graph.nodes)))
    return {tensor: range(start, stop[tensor]) for tensor, start in first.items()}


def int8_bytes(shape: Shape) -> int:
    """The size of an int8 tensor; a dimension that is open counts 1, the least there can be."""
    return prod(1 if size is None else size for size in shape)


def peak_activation_bytes(graph: LayerGraph, shapes: Mapping[str, Shape]) -> int:
    """The largest sum of int8 tensors that are alive at once: a lower bound of the arena's head."""
    alive = [0] * len(graph.nodes)
    for tensor, span in live_ranges(graph).items():
        for i in span:
            alive[i] += int8_bytes(shapes[tensor])
    return max(alive, default=0)
