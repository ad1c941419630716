"""Layer graphs for the solver, and costs that can be redone by hand."""

import numpy as np
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.opshape import OpShape


def macs(op: OpShape) -> float:
    return float(op.macs)


def weights(op: OpShape) -> float:
    return float(op.weight_count)


def chain(width: int = 8) -> tuple[LayerGraph, ChannelMap]:
    """x(2) → a(width) → b(width) → c(3), 1 × 1 convolutions on 4 × 4: 16·(2w + w² + 3w) MACs."""
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("a", "x", cin=2, cout=width),
        conv("b", "a", cin=width, cout=width),
        conv("c", "b", cin=width, cout=3),
    )
    return graph, name_channels(graph)


def long_chain(layers: int, *, width: int) -> tuple[LayerGraph, ChannelMap]:
    """x(2) → layer0(width) → layer1(width) → … → end(3), 1 × 1 convolutions on 4 × 4."""
    names = ["x", *(f"layer{i}" for i in range(layers)), "end"]
    widths = [2, *[width] * layers, 3]
    calls = [conv(names[i + 1], names[i], cin=widths[i], cout=widths[i + 1]) for i in range(len(names) - 1)]
    graph = graph_of({"x": (4, 4, 2)}, *calls)
    return graph, name_channels(graph)


def tangled() -> LayerGraph:
    """Convolution, depthwise, residual sum, concatenation and dense: something of everything."""
    return graph_of(
        {"x": (4, 4, 3)},
        conv("a", "x", cin=3, cout=8),
        conv("b", "a", cin=8, cout=8),
        Made("sum", "Add", ["a", "b"], (4, 4, 8)),
        depthwise("dw", "sum", cin=8, multiplier=2),
        conv("c", "dw", cin=16, cout=6),
        conv("d", "sum", cin=8, cout=5),
        Made("cat", "Concatenate", ["c", "d"], (4, 4, 11), {"axis": -1}),
        Made("flat", "Flatten", ["cat"], (16 * 11,)),
        dense("e", "flat", cin=176, cout=12),
        dense("f", "e", cin=12, cout=4),
    )


def random_graph(rng: np.random.Generator) -> LayerGraph:
    """Up to six layers on 4 × 4 images: convolutions, sums, concatenations, depthwise ones, ReLUs."""
    widths, calls = {"x": 2}, []
    for i in range(int(rng.integers(2, 7))):
        name, source = f"n{i}", str(rng.choice(list(widths)[-3:]))
        width, other = widths[source], str(rng.choice(list(widths)))
        kind = rng.choice(["conv", "conv", "conv", "add", "cat", "dw", "relu"])
        if kind == "add" and other != source and widths[other] == width:
            calls.append(Made(name, "Add", [source, other], (4, 4, width)))
        elif kind == "cat" and other != source:
            width += widths[other]
            calls.append(Made(name, "Concatenate", [source, other], (4, 4, width), {"axis": -1}))
        elif kind == "dw":
            calls.append(depthwise(name, source, cin=width))
        elif kind == "relu":
            calls.append(Made(name, "ReLU", [source], (4, 4, width)))
        else:
            cin, width = width, int(rng.integers(2, 7))
            calls.append(conv(name, source, cin=cin, cout=width))
        widths[name] = width
    last = list(widths)[-1]
    return graph_of({"x": (4, 4, 2)}, *calls, conv("end", last, cin=widths[last], cout=3))
