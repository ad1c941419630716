import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.surgery import remove_channels

NORM = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (4,))


def norm(name: str, source: str) -> Made:
    return Made(name, "BatchNormalization", [source], (4, 4, 4), {"axis": -1}, NORM)


def lower(graph: LayerGraph) -> tuple[OpShape, ...]:
    channels = name_channels(graph)
    return Lowering(graph, channels).lower(channels.everything)


def test_a_convolution_becomes_one_op_with_the_batch_in_front() -> None:
    (op,) = lower(graph_of({"x": (4, 4, 3)}, conv("a", "x", cin=3, cout=4, padding="valid")))
    assert (op.op, op.inputs, op.output) == ("CONV_2D", ((1, 4, 4, 3),), (1, 4, 4, 4))
    assert (op.filter, op.padding, op.has_bias) == ((4, 1, 1, 3), "VALID", True)
    assert op.macs == 16 * 3 * 4


def test_each_layer_becomes_the_ops_of_its_kind() -> None:
    graph = graph_of(
        {"x": (4, 4, 3)},
        conv("a", "x", cin=3, cout=4),
        depthwise("dw", "a", cin=4, multiplier=2),
        Made("drop", "Dropout", ["dw"], (4, 4, 8)),
        Made("flat", "Flatten", ["drop"], (128,)),
        dense("end", "flat", cin=128, cout=10, activation="softmax"),
    )
    ops = lower(graph)
    assert [op.op for op in ops] == ["CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert ops[1].filter == (1, 3, 3, 8)
    assert ops[1].macs == 16 * 9 * 8
    assert ops[3].filter == (10, 128)
    assert count_macs(ops) == 16 * 12 + 16 * 72 + 1280


def test_a_separable_convolution_becomes_two_ops() -> None:
    weights = {"depthwise_kernel": (3, 3, 3, 2), "pointwise_kernel": (1, 1, 6, 5)}
    made = Made("s", "SeparableConv2D", ["x"], (4, 4, 5), {"padding": "same"}, weights)
    depth, point = lower(graph_of({"x": (4, 4, 3)}, made))
    assert (depth.op, depth.filter, depth.output) == ("DEPTHWISE_CONV_2D", (1, 3, 3, 6), (1, 4, 4, 6))
    assert (point.op, point.filter, point.inputs) == ("CONV_2D", (5, 1, 1, 6), ((1, 4, 4, 6),))
    assert depth.macs + point.macs == 16 * 9 * 6 + 16 * 6 * 5


def test_normalization_behind_a_convolution_is_folded_into_it() -> None:
    graph = graph_of({"x": (4, 4, 3)}, conv("a", "x", cin=3, cout=4), norm("n", "a"))
    assert [op.op for op in lower(graph)] == ["CONV_2D"]


def test_normalization_elsewhere_becomes_a_product_and_a_sum() -> None:
    assert [op.op for op in lower(graph_of({"x": (4, 4, 4)}, norm("n", "x")))] == ["MUL", "ADD"]
    shared = graph_of(
        {"x": (4, 4, 3)},
        conv("a", "x", cin=3, cout=4),
        norm("n", "a"),
        Made("sum", "Add", ["n", "a"], (4, 4, 4)),  # also reads the convolution: nothing can be folded
    )
    assert [op.op for op in lower(shared)] == ["CONV_2D", "MUL", "ADD", "ADD"]


def test_a_sum_of_three_becomes_two_ops() -> None:
    made = Made("sum", "Add", ["x", "y", "z"], (4, 4, 2))
    ops = lower(graph_of(dict.fromkeys("xyz", (4, 4, 2)), made))
    assert [op.op for op in ops] == ["ADD", "ADD"]


def pruned_by_one() -> tuple[LayerGraph, LayerGraph, tuple[OpShape, ...]]:
    graph = graph_of(
        {"x": (4, 4, 3)},
        conv("a", "x", cin=3, cout=4),
        depthwise("dw", "a", cin=4, multiplier=2),
        Made("flat", "Flatten", ["dw"], (128,)),
        dense("end", "flat", cin=128, cout=10),
    )
    channels = name_channels(graph)
    kept = channels.everything
    kept[channels.tensors["a"][2]] = False
    return graph, remove_channels(graph, channels, kept=kept), Lowering(graph, channels).lower(kept)


def test_a_plan_is_lowered_as_the_pruned_graph_would_be() -> None:
    _, smaller, ops = pruned_by_one()
    assert ops == lower(smaller)
    assert [op.filter for op in ops] == [(3, 1, 1, 3), (1, 3, 3, 6), None, (10, 96)]
    assert count_macs(ops) == 16 * 9 + 16 * 54 + 960


def test_lowering_again_gives_the_same_as_lowering_afresh() -> None:
    graph, _, _ = pruned_by_one()
    channels = name_channels(graph)
    lowering, rng = Lowering(graph, channels), np.random.default_rng(0)
    for _ in range(10):
        kept = ~(channels.prunable & (rng.random(channels.groups) < 0.4))
        kept[channels.tensors["a"][0]] = True
        assert lowering.lower(kept) == Lowering(graph, channels).lower(kept)


def test_a_convolution_of_a_sequence_becomes_one_of_an_image_of_height_one() -> None:
    made = Made("c", "Conv1D", ["x"], (8, 4), {"padding": "same", "strides": (1,)}, {"kernel": (3, 2, 4)})
    (op,) = lower(graph_of({"x": (8, 2)}, made))
    assert (op.op, op.inputs, op.output, op.filter) == (
        "CONV_2D",
        ((1, 1, 8, 2),),
        (1, 1, 8, 4),
        (4, 1, 3, 2),
    )
    assert op.macs == 8 * 3 * 2 * 4


def test_causal_padding_becomes_an_op_of_its_own() -> None:
    config = {"padding": "causal", "strides": (1,), "dilation_rate": (2,)}
    pad, op = lower(
        graph_of({"x": (8, 2)}, Made("c", "Conv1D", ["x"], (8, 4), config, {"kernel": (3, 2, 4)}))
    )
    assert (pad.op, pad.output) == ("PAD", (1, 1, 12, 2))
    assert (op.padding, op.inputs, op.dilation) == ("VALID", ((1, 1, 12, 2),), (1, 2))


def test_channels_first_are_last_in_the_op() -> None:
    config = {"padding": "same", "strides": (1, 1), "data_format": "channels_first"}
    (op,) = lower(
        graph_of({"x": (3, 4, 5)}, Made("c", "Conv2D", ["x"], (2, 4, 5), config, {"kernel": (1, 1, 3, 2)}))
    )
    assert (op.inputs, op.output) == (((1, 4, 5, 3),), (1, 4, 5, 2))


@pytest.mark.parametrize(("shape", "kind", "op"), [
    ((4, 4, 3), "Conv2DTranspose", "TRANSPOSE_CONV"),
    ((4, 4, 4, 3), "Conv3DTranspose", "CONV_3D_TRANSPOSE"),
])  # fmt: skip
def test_a_transposed_convolution_multiplies_once_per_value_it_reads(
    shape: tuple[int, ...], kind: str, op: str
) -> None:
    *space, channels = shape
    kernel = (*[2] * len(space), 5, channels)
    made = Made(
        "t", kind, ["x"], (*[2 * n for n in space], 5), {"strides": [2] * len(space)}, {"kernel": kernel}
    )
    (found,) = lower(graph_of({"x": shape}, made))
    assert found.op == op
    assert found.macs == np.prod(space) * np.prod(kernel)


def test_a_grouped_convolution_multiplies_within_its_groups() -> None:
    made = Made("g", "Conv2D", ["x"], (4, 4, 6), {"groups": 2, "padding": "same"}, {"kernel": (3, 3, 2, 6)})
    (op,) = lower(graph_of({"x": (4, 4, 4)}, made))
    assert op.macs == 16 * 9 * 2 * 6


def test_an_open_dimension_counts_as_one() -> None:
    graph = graph_of({"x": (None, 2)}, Made("c", "Conv1D", ["x"], (None, 4), {}, {"kernel": (3, 2, 4)}))
    channels = name_channels(graph)
    (op,) = Lowering(graph, channels).lower(channels.everything)
    assert op.macs == 3 * 2 * 4
    assert channels.resize("c", graph.shapes["c"], kept=channels.everything) == (None, 4)
