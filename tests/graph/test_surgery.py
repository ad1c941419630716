import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.surgery import Kept, mask_channels, remove_channels, resize_shapes


def chain() -> tuple[LayerGraph, ChannelMap]:
    """x(2) → a(3), kernel [[1, 2, 3], [4, 5, 6]] → b(2), kernel [[1, 2], [3, 4], [5, 6]]."""
    graph = graph_of({"x": (2,)}, dense("a", "x", cin=2, cout=3), dense("b", "a", cin=3, cout=2))
    return graph, name_channels(graph)


def without(channels: ChannelMap, tensor: str, *indices: int) -> Kept:
    kept = channels.everything
    kept[channels.tensors[tensor][list(indices)]] = False
    return kept


def test_removal_takes_the_kept_slices_of_every_axis() -> None:
    graph, channels = chain()
    smaller = remove_channels(graph, channels, kept=without(channels, "a", 1))
    assert smaller.layers["a"].weights["kernel"].tolist() == [[1, 3], [4, 6]]
    assert smaller.layers["a"].weights["bias"].tolist() == [1, 3]
    assert smaller.layers["b"].weights["kernel"].tolist() == [[1, 2], [5, 6]]
    assert smaller.layers["b"].weights["bias"].tolist() == [1, 2]
    assert smaller.layers["a"].config["units"] == 2
    assert smaller.shapes == {"x": (2,), "a": (2,), "b": (2,)}
    assert graph.params == 6 + 3 + 6 + 2
    assert smaller.params == 4 + 2 + 4 + 2


def test_masking_zeroes_the_same_slices_and_keeps_all_shapes() -> None:
    graph, channels = chain()
    masked = mask_channels(graph, channels, kept=without(channels, "a", 1))
    assert masked.layers["a"].weights["kernel"].tolist() == [[1, 0, 3], [4, 0, 6]]
    assert masked.layers["a"].weights["bias"].tolist() == [1, 0, 3]
    assert masked.layers["b"].weights["kernel"].tolist() == [[1, 2], [0, 0], [5, 6]]
    assert graph.layers["a"].weights["kernel"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_empty_plan_changes_no_weight() -> None:
    graph, channels = chain()
    for changed in (
        remove_channels(graph, channels, kept=channels.everything),
        mask_channels(graph, channels, kept=channels.everything),
    ):
        for name, layer in graph.layers.items():
            for weight, array in layer.weights.items():
                np.testing.assert_array_equal(changed.layers[name].weights[weight], array)


@pytest.mark.parametrize("tensor", ["x", "b"])
def test_a_frozen_channel_is_not_removed(tensor: str) -> None:
    graph, channels = chain()
    with pytest.raises(ValueError, match="must stay"):
        remove_channels(graph, channels, kept=without(channels, tensor, 0))


def test_a_channel_takes_its_positions_behind_flatten_along() -> None:
    graph = graph_of(
        {"x": (2, 2, 1)},
        conv("a", "x", cin=1, cout=2, size=2),
        Made("flat", "Flatten", ["a"], (8,)),
        dense("end", "flat", cin=8, cout=1),
    )
    channels = name_channels(graph)
    smaller = remove_channels(graph, channels, kept=without(channels, "a", 0))
    assert smaller.layers["end"].weights["kernel"].ravel().tolist() == [2, 4, 6, 8]
    assert smaller.shapes["flat"] == (4,)
    assert smaller.layers["a"].config["filters"] == 1


def test_a_channel_takes_its_multiples_behind_a_depthwise_convolution_along() -> None:
    graph = graph_of(
        {"x": (4, 4, 1)},
        conv("a", "x", cin=1, cout=2),
        depthwise("dw", "a", cin=2, multiplier=2),
        conv("end", "dw", cin=4, cout=1),
    )
    channels = name_channels(graph)
    smaller = remove_channels(graph, channels, kept=without(channels, "a", 0))
    assert smaller.layers["dw"].weights["kernel"].shape == (3, 3, 1, 2)
    assert smaller.layers["dw"].weights["bias"].tolist() == [3, 4]
    assert smaller.layers["end"].weights["kernel"].ravel().tolist() == [3, 4]


def test_a_channel_finds_its_place_behind_a_concatenation() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=2),
        dense("b", "x", cin=1, cout=3),
        Made("cat", "Concatenate", ["b", "a"], (5,), {"axis": -1}),
        dense("end", "cat", cin=5, cout=1),
    )
    channels = name_channels(graph)
    smaller = remove_channels(graph, channels, kept=without(channels, "a", 1))
    assert smaller.layers["end"].weights["kernel"].ravel().tolist() == [1, 2, 3, 4]
    smaller = remove_channels(graph, channels, kept=without(channels, "b", 0, 2))
    assert smaller.layers["end"].weights["kernel"].ravel().tolist() == [2, 4, 5]


def test_a_reshape_leaves_its_last_dimension_open() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=6),
        Made("r", "Reshape", ["a"], (2, 3), {"target_shape": (2, 3)}),
        dense("end", "r", cin=3, cout=1),
    )
    channels = name_channels(graph)
    smaller = remove_channels(graph, channels, kept=without(channels, "r", 2))
    assert smaller.layers["r"].config["target_shape"] == [2, -1]
    assert smaller.layers["a"].weights["kernel"].ravel().tolist() == [1, 2, 4, 5]
    assert smaller.shapes["r"] == (2, 2)


def test_only_the_last_dimension_of_a_shape_changes() -> None:
    graph = graph_of({"x": (4, 4, 3)}, conv("a", "x", cin=3, cout=4), conv("b", "a", cin=4, cout=2))
    channels = name_channels(graph)
    shapes = resize_shapes(graph, channels, kept=without(channels, "a", 0, 3))
    assert shapes == {"x": (4, 4, 3), "a": (4, 4, 2), "b": (4, 4, 2)}
