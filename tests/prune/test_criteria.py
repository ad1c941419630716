from collections.abc import Iterator

import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.errors import DataError, UnknownNameError
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.prune.criteria import CRITERIA, Evidence, Gradients, score_groups


def pair() -> tuple[LayerGraph, ChannelMap]:
    """x(2) → a(2), kernel [[1, 2], [3, 4]] → b(2), kernel [[1, 2], [3, 4]]."""
    graph = graph_of({"x": (2,)}, dense("a", "x", cin=2, cout=2), dense("b", "a", cin=2, cout=2))
    return graph, name_channels(graph)


def raw(name: str, graph: LayerGraph, channels: ChannelMap, tensor: str, **more: object) -> list[float]:
    scores = CRITERIA[name].score(Evidence(graph=graph, channels=channels, **more))
    return scores[channels.tensors[tensor]].tolist()


def test_l1_sums_the_weights_that_make_a_channel() -> None:
    assert raw("l1", *pair(), "a") == [4, 6]


def test_l2_is_their_euclidean_norm() -> None:
    assert raw("l2", *pair(), "a") == pytest.approx([np.sqrt(10), np.sqrt(20)])


def test_biases_and_norms_do_not_count() -> None:
    norm = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (2,))
    graph = graph_of(
        {"x": (2,)},
        dense("a", "x", cin=2, cout=2),
        Made("bn", "BatchNormalization", ["a"], (2,), {"axis": -1}, norm),
        dense("b", "bn", cin=2, cout=2),
    )
    assert raw("l1", graph, name_channels(graph), "bn") == [4, 6]


def test_tied_channels_add_up_and_depthwise_kernels_count() -> None:
    graph = graph_of(
        {"x": (4, 4, 1)},
        conv("a", "x", cin=1, cout=2),  # kernel [1, 2]
        depthwise("dw", "a", cin=2),  # kernel 1 … 18, channel 0 has the odd ones: 81, channel 1 the even: 90
        conv("b", "x", cin=1, cout=2),  # kernel [1, 2]
        Made("sum", "Add", ["dw", "b"], (4, 4, 2)),
        conv("end", "sum", cin=2, cout=1),
    )
    assert raw("l1", graph, name_channels(graph), "sum") == [1 + 81 + 1, 2 + 90 + 2]


def test_a_channel_that_flatten_spreads_is_counted_once_where_it_is_made() -> None:
    graph = graph_of(
        {"x": (4, 4, 1)},
        conv("a", "x", cin=1, cout=2),
        Made("flat", "Flatten", ["a"], (32,)),
        dense("end", "flat", cin=32, cout=1),
    )
    assert raw("l1", graph, name_channels(graph), "a") == [1, 2]


def test_taylor_squares_the_derivative_by_a_gate_batch_by_batch() -> None:
    graph, channels = pair()

    def gradients() -> Iterator[Gradients]:
        for scale in (1.0, 2.0):
            kernel = np.array([[1.0, -1.0], [0.5, 0.25]]) * scale
            yield {"a": {"kernel": np.ones((2, 2))}, "b": {"kernel": kernel}}

    # b reads "a": Σ w·g = (1·1 - 2·1, 3·0.5 + 4·0.25) = (-1, 2.5); twice that in the second batch.
    assert raw("taylor", graph, channels, "a", gradients=gradients) == [1 + 4, 6.25 + 25]


def test_taylor_adds_up_over_all_readers_before_it_squares() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=1),
        dense("b", "a", cin=1, cout=1),
        dense("c", "a", cin=1, cout=1),
        outputs=["b", "c"],
    )

    def gradients() -> Iterator[Gradients]:
        one = np.ones((1, 1))
        yield {"a": {"kernel": one}, "b": {"kernel": 3 * one}, "c": {"kernel": -one}}

    assert raw("taylor", graph, name_channels(graph), "a", gradients=gradients) == [(3 - 1) ** 2]


def test_a_gradient_criterion_without_data_is_refused_with_the_way_out() -> None:
    graph, channels = pair()
    with pytest.raises(DataError, match="--criterion l2"):
        score_groups(CRITERIA["taylor"], Evidence(graph=graph, channels=channels))


def test_random_scores_follow_the_seed() -> None:
    graph, channels = pair()
    first, again, other = (raw("random", graph, channels, "a", seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert all(score > 0 for score in first)


def test_scores_are_divided_by_their_familys_mean() -> None:
    graph, channels = pair()
    scores = score_groups(CRITERIA["l1"], Evidence(graph=graph, channels=channels))
    assert scores[channels.tensors["a"]].tolist() == [4 / 5, 6 / 5]
    assert scores[channels.tensors["b"]].tolist() == [4 / 5, 6 / 5]


def test_a_family_of_zeros_scores_zero() -> None:
    graph, channels = pair()
    for weights in graph.layers["a"].weights.values():
        weights[:] = 0
    scores = score_groups(CRITERIA["l2"], Evidence(graph=graph, channels=channels))
    assert scores[channels.tensors["a"]].tolist() == [0, 0]
    assert np.isfinite(scores).all()


def test_a_misspelt_criterion_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'taylor'"):
        CRITERIA["tailor"]


def test_every_criterion_scores_every_group_without_a_negative() -> None:
    graph, channels = pair()

    def gradients() -> Iterator[Gradients]:
        yield {name: dict(layer.weights) for name, layer in graph.layers.items()}

    for name in CRITERIA:
        evidence = Evidence(graph=graph, channels=channels, gradients=gradients)
        scores = CRITERIA[name].score(evidence)
        assert scores.shape == (channels.groups,)
        assert (scores >= 0).all()
