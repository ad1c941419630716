"""Bounds of tensors, on arrays small enough to be done by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from graph.hand_made import Made, graph_of

from edgeprune.graph.folding import fold_constants
from edgeprune.graph.interval_functions import activate
from edgeprune.graph.interval_trace import trace_intervals
from edgeprune.graph.intervals import Interval
from edgeprune.graph.layergraph import LayerGraph, Read


def between(low: Any, high: Any, *, rank: int = 1) -> Interval:
    shape = (*(1,) * (rank - 1), -1)
    return Interval(
        low=np.array(low, np.float64).reshape(shape), high=np.array(high, np.float64).reshape(shape)
    )


def weighted(graph: LayerGraph, **weights: dict[str, Any]) -> LayerGraph:
    """The graph with other weights in some of its layers."""
    layers = dict(graph.layers)
    for name, arrays in weights.items():
        made = {w: np.array(a, np.float32) for w, a in arrays.items()}
        layers[name] = replace(layers[name], weights=made)
    return replace(graph, layers=layers)


def ends(interval: Interval) -> tuple[list[float], list[float]]:
    return interval.low.ravel().tolist(), interval.high.ravel().tolist()


def image_layer(kind: str, config: dict[str, Any], *, size: int, out: int, kernel: Any) -> LayerGraph:
    """One layer on a size × size image of one channel."""
    graph = graph_of({"x": (size, size, 1)}, Made("y", kind, ["x"], (out, out, 1), config))
    return weighted(graph, y={"kernel": kernel})


def test_a_weighted_sum_takes_the_end_that_its_sign_asks_for() -> None:
    graph = weighted(
        graph_of({"x": (2,)}, Made("y", "Dense", ["x"], (1,), {})), y={"kernel": [[1], [-2]], "bias": [0.5]}
    )
    found = trace_intervals(graph, inputs={"x": between([-1, -1], [2, 2])})
    assert ends(found["y"]) == ([-1 - 4 + 0.5], [2 + 2 + 0.5])


def test_weights_of_zero_make_a_constant_of_any_input() -> None:
    graph = weighted(
        graph_of({"x": (2,)}, Made("y", "Dense", ["x"], (2,), {"activation": "relu"})),
        y={"kernel": [[0, 1], [0, 1]], "bias": [3, 0]},
    )
    found = trace_intervals(graph)["y"]
    assert found.constants(2)[0] == 3.0
    assert ends(found) == ([3.0, 0.0], [3.0, np.inf])


@pytest.mark.parametrize(
    ("padding", "size", "stride", "taps", "expected"),
    [
        ("valid", 4, 1, 3, (18.0, 18.0)),
        ("same", 4, 1, 3, (0.0, 18.0)),  # zeros are read at the border
        ("same", 4, 1, 1, (2.0, 2.0)),
        ("same", 4, 2, 2, (8.0, 8.0)),  # the windows fill the image exactly
        ("same", 5, 2, 2, (0.0, 8.0)),
        ("same", 4, 4, 3, (18.0, 18.0)),
    ],
)
@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D"])
def test_a_constant_stays_one_unless_the_window_reads_padding(
    kind: str, padding: str, size: int, stride: int, taps: int, expected: tuple[float, float]
) -> None:
    config = {"padding": padding, "strides": (stride, stride), "dilation_rate": (1, 1)}
    graph = image_layer(kind, config, size=size, out=size, kernel=np.ones((taps, taps, 1, 1)))
    found = trace_intervals(graph, inputs={"x": between([2.0], [2.0], rank=3)})["y"]
    assert (found.low.item(), found.high.item()) == expected


def test_a_dilated_window_reads_padding_where_a_small_one_does_not() -> None:
    config = {"padding": "same", "strides": (1, 1), "dilation_rate": (2, 1)}
    graph = image_layer("Conv2D", config, size=3, out=3, kernel=np.ones((2, 1, 1, 1)))
    found = trace_intervals(graph, inputs={"x": between([1.0], [1.0], rank=3)})["y"]
    assert (found.low.item(), found.high.item()) == (0.0, 2.0)


def test_a_batch_norm_with_a_scale_of_zero_gives_its_shift() -> None:
    graph = weighted(
        graph_of({"x": (2,)}, Made("y", "BatchNormalization", ["x"], (2,), {"axis": -1, "epsilon": 0.0})),
        y={"gamma": [0, -2], "beta": [5, 1], "moving_mean": [7, 1], "moving_variance": [4, 4]},
    )
    assert trace_intervals(graph)["y"].constants(2)[0] == 5.0
    found = trace_intervals(graph, inputs={"x": between([0, -1], [1, 3])})["y"]
    assert ends(found) == ([5.0, 1 - (3 - 1)], [5.0, 1 - (-1 - 1)])


def test_nothing_times_anything_is_nothing() -> None:
    graph = graph_of({"x": (2,), "z": (2,)}, Made("y", "Multiply", ["x", "z"], (2,)))
    found = trace_intervals(graph, inputs={"x": between([0, 1], [0, 2])})["y"]
    assert ends(found) == ([0.0, -np.inf], [0.0, np.inf])


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("Add", -1 + 3, 2 + 4),
        ("Subtract", -1 - 4, 2 - 3),
        ("Multiply", -1 * 4, 2 * 4),
        ("Average", 1.0, 3.0),
        ("Maximum", 3, 4),
        ("Minimum", -1, 2),
    ],
)
def test_merges_combine_the_ends(kind: str, low: float, high: float) -> None:
    graph = graph_of({"x": (1,), "z": (1,)}, Made("y", kind, ["x", "z"], (1,)))
    found = trace_intervals(graph, inputs={"x": between([-1], [2]), "z": between([3], [4])})["y"]
    assert ends(found) == ([low], [high])


def test_an_operator_may_have_a_number_on_either_side() -> None:
    graph = graph_of({"x": (2,)}, Made("y", "ops.Subtract", ["x"], (2,)))
    node = replace(graph.nodes[0], arguments={"x1": 1.0, "x2": Read(index=0)})
    found = trace_intervals(replace(graph, nodes=(node,)), inputs={"x": between([0, 1], [2, 3])})["y"]
    assert ends(found) == ([-1.0, -2.0], [1.0, 0.0])


def test_an_unknown_layer_gives_no_bounds_and_a_softmax_behind_it_does() -> None:
    graph = graph_of(
        {"x": (2,)}, Made("y", "Mystery", ["x"], (2,)), Made("z", "Softmax", ["y"], (2,)), outputs=["z"]
    )
    found = trace_intervals(graph, inputs={"x": between([0, 0], [0, 0])})
    assert np.isinf(found["y"].low).all()
    assert ends(found["z"]) == ([0.0], [1.0])


def test_flatten_keeps_channels_apart_and_concatenate_lines_them_up() -> None:
    graph = graph_of(
        {"x": (2, 1, 2), "z": (1,)},
        Made("flat", "Flatten", ["x"], (4,)),
        Made("y", "Concatenate", ["flat", "z"], (5,), {"axis": -1}),
    )
    found = trace_intervals(graph, inputs={"x": between([1, -3], [1, 3], rank=3), "z": between([7], [7])})
    np.testing.assert_array_equal(found["y"].constants(5), [1, np.nan, 1, np.nan, 7])


def test_padding_an_image_puts_zeros_among_its_values() -> None:
    graph = graph_of(
        {"x": (2, 2, 1)},
        Made("y", "ZeroPadding2D", ["x"], (4, 4, 1)),
        Made("z", "GlobalAveragePooling2D", ["y"], (1,)),
    )
    found = trace_intervals(graph, inputs={"x": between([2.0], [2.0], rank=3)})
    assert ends(found["y"]) == ends(found["z"]) == ([0.0], [2.0])


def test_an_activation_that_falls_first_lies_between_its_least_value_and_its_larger_end() -> None:
    found = activate(between([-10, 1], [1, 2]), "silu")
    assert found.low.tolist() == pytest.approx([-0.27846455, -0.27846455])
    assert found.high.tolist() == pytest.approx([0.7310586, 1.7615942])
    assert activate(between([-3.0], [-3.0]), "silu").constants(1)[0] == pytest.approx(-0.14227762)


def test_an_activation_that_is_not_known_gives_no_bounds() -> None:
    for unknown in ("mine", "glu", {"class_name": "Mine", "config": {"scale": 2}}):
        assert np.isinf(activate(between([0.0], [0.0]), unknown).low).all()


def test_a_leaky_relu_that_falls_gives_no_bounds() -> None:
    falling = {"class_name": "LeakyReLU", "config": {"negative_slope": -1.0}}
    assert np.isinf(activate(between([-1.0], [1.0]), falling).high).all()


def test_what_was_seen_counts_only_where_it_was_one_value() -> None:
    graph = graph_of({"x": (2,)}, Made("y", "Activation", ["x"], (2,), {"activation": "relu"}))
    found = trace_intervals(graph, seen={"y": between([0, 0], [0, 5])})
    assert ends(found["y"]) == ([0.0, 0.0], [0.0, np.inf])


def test_constants_go_into_the_bias() -> None:
    graph = weighted(
        graph_of({"x": (2,)}, Made("y", "Dense", ["x"], (1,), {"use_bias": True})),
        y={"kernel": [[2], [3]], "bias": [10]},
    )
    folded = fold_constants(graph, constants={"y": np.array([5.0, 0.0])})
    assert folded.layers["y"].weights["bias"].tolist() == [20.0]


def test_a_layer_without_bias_gets_one() -> None:
    graph = weighted(
        graph_of({"x": (2,)}, Made("y", "Dense", ["x"], (1,), {"use_bias": False})), y={"kernel": [[2], [3]]}
    )
    layer = fold_constants(graph, constants={"y": np.array([0.0, 1.0])}).layers["y"]
    assert layer.weights["bias"].tolist() == [3.0]
    assert layer.config["use_bias"] is True
    assert list(layer.weights) == ["kernel", "bias"]


def test_a_batch_norm_behind_a_layer_without_bias_takes_the_constant_into_its_mean() -> None:
    graph = graph_of(
        {"x": (1,)},
        Made("y", "Dense", ["x"], (1,), {"use_bias": False, "activation": "linear"}),
        Made("n", "BatchNormalization", ["y"], (1,), {"axis": -1}),
    )
    graph = weighted(graph, y={"kernel": [[2]]}, n={"moving_mean": [1], "moving_variance": [1]})
    folded = fold_constants(graph, constants={"y": np.array([3.0])})
    assert folded.layers["n"].weights["moving_mean"].tolist() == [1 - 6.0]
    assert "bias" not in folded.layers["y"].weights
    bent = replace(graph.layers["y"], config={"use_bias": False, "activation": "relu"})
    folded = fold_constants(
        replace(graph, layers={**graph.layers, "y": bent}), constants={"y": np.array([3.0])}
    )
    assert folded.layers["y"].weights["bias"].tolist() == [6.0]
