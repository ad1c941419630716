"""Whole layers that may go: residual branches, and layers whose output has the shape of their input.

A branch is described by the calls that pass one of their inputs on instead of computing: an Add that only
keeps its shortcut, a convolution that is skipped. What nothing reads any more then goes too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from edgeprune.graph.layergraph import Layer, LayerGraph, Node
from edgeprune.graph.layers.rules import rule_for

_ADDS = ("Add", "ops.Add")
_FOLLOWERS = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Dropout")
"""Layers that go together with the layer in front of them: without it they would normalise twice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """Calls that can be taken out together.

    Attributes:
        name: for people: the layer that joins the branch, or the layer that is skipped.
        layers: the layers with weights that go.
        passing: index of a node → the number of the input that takes the place of its output.
        nodes: indices of all nodes that go.
    """

    name: str
    layers: tuple[str, ...]
    passing: Mapping[int, int]
    nodes: frozenset[int]


def find_branches(graph: LayerGraph) -> tuple[Branch, ...]:
    """The branches of a graph, each of which could go by itself, in the order of the graph."""
    found = []
    for name, passing in _candidates(graph):
        nodes = _removed(graph, passing)
        layers = tuple(dict.fromkeys(graph.nodes[i].layer for i in sorted(nodes)))
        weighty = tuple(layer for layer in layers if graph.layers[layer].weights)
        if weighty and _inputs_are_read(graph, passing, nodes):
            found.append(Branch(name=name, layers=weighty, passing=passing, nodes=nodes))
    return tuple(found)


def bypass(graph: LayerGraph, branches: Sequence[Branch]) -> LayerGraph:
    """The graph without some of its branches; they may lie inside one another."""
    passing = {i: k for branch in branches for i, k in branch.passing.items()}
    names = _renamed(graph, passing)
    gone = _removed(graph, passing)
    nodes = tuple(
        replace(node, inputs=tuple(names.get(t, t) for t in node.inputs))
        for i, node in enumerate(graph.nodes)
        if i not in gone
    )
    used = {node.layer for node in nodes}
    tensors = {*graph.inputs, *(t for node in nodes for t in node.outputs)}
    return replace(
        graph,
        layers={name: layer for name, layer in graph.layers.items() if name in used},
        nodes=nodes,
        outputs=tuple(names.get(t, t) for t in graph.outputs),
        shapes={name: shape for name, shape in graph.shapes.items() if name in tensors},
    )


def unfolded_name(layer: str) -> str:
    """The name that a layer of a nested model has once the model is unfolded; Keras allows no `/` in it."""
    return layer.replace("/", "_")


def _candidates(graph: LayerGraph) -> Iterator[tuple[str, dict[int, int]]]:
    consumers = graph.consumers()
    positions = {id(node): i for i, node in enumerate(graph.nodes)}
    taken: set[int] = set()
    for i, node in enumerate(graph.nodes):
        layer = graph.layers[node.layer]
        shape = graph.shapes[node.outputs[0]]
        if layer.kind in _ADDS and len(node.inputs) == 2:
            for k, other in ((0, 1), (1, 0)):
                if graph.shapes[node.inputs[k]] == shape:
                    maker = _maker(graph, node.inputs[other])
                    yield f"{node.layer} without {maker or node.inputs[other]}", {i: k}
        elif len(node.inputs) == 1 and i not in taken and _computes(layer):
            run = _list_run(graph, consumers, node)
            if _keeps_shape(graph, run):
                taken.update(positions[id(each)] for each in run)
                makers = [each.layer for each in run if _computes(graph.layers[each.layer])]
                yield " to ".join(makers), {positions[id(each)]: 0 for each in run}


def _list_run(graph: LayerGraph, consumers: Mapping[str, list[Node]], node: Node) -> list[Node]:
    """A call, and those behind it that go with it.

    A depthwise layer and the pointwise one behind it are one convolution: where both keep their shape, they
    go together.
    """
    run = _with_followers(graph, consumers, node)
    reader = _only_reader(graph, consumers, run[-1])
    if reader and _computes(graph.layers[reader.layer]) and _is_depthwise(graph.layers[node.layer]):
        whole = run + _with_followers(graph, consumers, reader)
        return whole if _keeps_shape(graph, whole) else run
    return run


def _with_followers(graph: LayerGraph, consumers: Mapping[str, list[Node]], node: Node) -> list[Node]:
    """A call, and those behind it that make no sense without it."""
    run = [node]
    while (reader := _only_reader(graph, consumers, run[-1])) is not None:
        if graph.layers[reader.layer].kind not in _FOLLOWERS:
            break
        run.append(reader)
    return run


def _keeps_shape(graph: LayerGraph, run: Sequence[Node]) -> bool:
    return len(run[-1].outputs) == 1 and graph.shapes[run[0].inputs[0]] == graph.shapes[run[-1].outputs[0]]


def _computes(layer: Layer) -> bool:
    """Whether a layer is worth skipping: it has kernels, not one factor per channel."""
    return bool(layer.weights) and (rule_for(layer.kind).status == "prunable" or _is_depthwise(layer))


def _is_depthwise(layer: Layer) -> bool:
    return layer.kind.startswith("Depthwise")


def _maker(graph: LayerGraph, tensor: str) -> str:
    """The layer with weights that a tensor last came from, for people."""
    for node in reversed(graph.nodes):
        if tensor in node.outputs:
            if _computes(graph.layers[node.layer]) or not node.inputs:
                return node.layer
            return _maker(graph, node.inputs[0]) or node.layer
    return ""


def _only_reader(graph: LayerGraph, consumers: Mapping[str, list[Node]], node: Node) -> Node | None:
    """The one call that reads what a call makes, if it reads nothing else."""
    readers = consumers.get(node.outputs[0], [])
    if len(readers) == 1 and len(node.outputs) == 1 and node.outputs[0] not in graph.outputs:
        return readers[0] if len(readers[0].inputs) == 1 else None
    return None


def _renamed(graph: LayerGraph, passing: Mapping[int, int]) -> dict[str, str]:
    """Tensor → the tensor that takes its place."""
    names: dict[str, str] = {}
    for i in sorted(passing):
        node = graph.nodes[i]
        source = node.inputs[passing[i]]
        names[node.outputs[0]] = names.get(source, source)
    return names


def _removed(graph: LayerGraph, passing: Mapping[int, int]) -> frozenset[int]:
    """The nodes that pass on, and those that nothing reads any more."""
    names = _renamed(graph, passing)
    needed = {names.get(t, t) for t in graph.outputs}
    gone = set()
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        if i in passing or needed.isdisjoint(node.outputs):
            gone.add(i)
        else:
            needed.update(names.get(t, t) for t in node.inputs)
    return frozenset(gone)


def _inputs_are_read(graph: LayerGraph, passing: Mapping[int, int], gone: frozenset[int]) -> bool:
    """Whether every input of the model still has a reader (an output that is an input would have none)."""
    names = _renamed(graph, passing)
    read = {names.get(t, t) for i, node in enumerate(graph.nodes) if i not in gone for t in node.inputs}
    return read.issuperset(graph.inputs)
