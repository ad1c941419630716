from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.errors import DataError, UnknownNameError
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.prune.criteria import (
    CRITERIA,
    NORMALISERS,
    Activity,
    Curve,
    Evidence,
    Gradients,
    score_groups,
)
from edgeprune.prune.criteria.sensitivity import slopes_of


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


def made_up_evidence(graph: LayerGraph, channels: ChannelMap) -> Evidence:
    """Data of every kind: gradients equal to the weights, even activity, drops that rise by a tenth."""

    def gradients() -> Iterator[Gradients]:
        yield {name: dict(layer.weights) for name, layer in graph.layers.items()}

    ones = np.ones(channels.groups)
    order = channels.tensors["a"]
    drops = np.array([0.1, 0.2])
    curve = Curve(family="a", order=order, counts=np.array([1, 2]), metrics=1 - drops, drops=drops)
    return Evidence(
        graph=graph,
        channels=channels,
        gradients=gradients,
        fisher=gradients,
        activity=lambda: Activity(magnitude=ones, nonzero=ones),
        curves=lambda: [curve],
    )


def test_every_criterion_scores_every_group_without_a_negative() -> None:
    graph, channels = pair()
    for criterion in CRITERIA:
        for normaliser in NORMALISERS:
            scores = score_groups(
                CRITERIA[criterion], made_up_evidence(graph, channels), normalise=normaliser
            )
            assert scores.shape == (channels.groups,)
            assert (scores >= 0).all()


def test_every_criterion_that_needs_data_says_so_when_there_are_none() -> None:
    graph, channels = pair()
    bare = Evidence(graph=graph, channels=channels)
    needing = [item for _, item in CRITERIA.items() if item.needs_data]
    assert {item.name for item in needing} == {"taylor", "hessian", "activation", "apoz", "sensitivity"}
    for item in needing:
        with pytest.raises(DataError, match=f"'{item.name}' ranks channels by .*no data were given"):
            score_groups(item, bare)


def test_fpgm_sums_the_distances_from_the_familys_other_channels() -> None:
    graph = graph_of({"x": (2,)}, dense("a", "x", cin=2, cout=3), dense("end", "a", cin=3, cout=1))
    graph.layers["a"].weights["kernel"][:] = [[0, 3, 0], [0, 4, 4]]  # channels (0, 0), (3, 4), (0, 4)
    channels = name_channels(graph)
    assert raw("fpgm", graph, channels, "a") == pytest.approx([5 + 4, 5 + 3, 4 + 3])


def test_fpgm_compares_all_weights_that_make_a_channel_at_once() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=2),
        dense("b", "x", cin=1, cout=2),
        Made("sum", "Add", ["a", "b"], (2,)),
        dense("end", "sum", cin=2, cout=1),
    )
    graph.layers["a"].weights["kernel"][:] = [[0, 3]]
    graph.layers["b"].weights["kernel"][:] = [[4, 0]]
    assert raw("fpgm", graph, name_channels(graph), "sum") == pytest.approx([5, 5])  # √(3² + 4²)


def test_fpgm_scales_up_where_channels_of_a_family_are_made_apart() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=2),
        dense("b", "x", cin=1, cout=2),
        Made("both", "Concatenate", ["a", "b"], (4,), {"axis": -1}),
        Made("c", "PReLU", ["both"], (4,), {"shared_axes": None}, {"alpha": (4,)}),
        Made("sum", "Add", ["c", "both"], (4,)),
        dense("end", "sum", cin=4, cout=1),
    )
    graph.layers["a"].weights["kernel"][:] = [[0, 1]]
    graph.layers["b"].weights["kernel"][:] = [[0, 5]]
    channels = name_channels(graph)
    found = raw("fpgm", graph, channels, "sum")
    family = channels.family[channels.tensors["sum"]]
    others = np.count_nonzero(channels.family == family[0]) - 1
    assert found[:2] == pytest.approx([others, others])
    assert found[2:] == pytest.approx([5 * others, 5 * others])


def test_channels_without_a_batch_norm_are_ranked_by_their_norm_on_the_same_scale() -> None:
    graph = graph_of(
        {"x": (1,)},
        dense("a", "x", cin=1, cout=2),  # kernel [1, 2]
        Made("bn", "BatchNormalization", ["a"], (2,), {"axis": -1}, {"gamma": (2,), "beta": (2,)}),
        dense("b", "bn", cin=2, cout=2),  # kernel [[1, 2], [3, 4]]: norms √10 and √20
        dense("end", "b", cin=2, cout=1),
    )
    graph.layers["bn"].weights["gamma"][:] = [-3, 6]
    channels = name_channels(graph)
    assert raw("bn_scale", graph, channels, "bn") == [3, 6]
    # Scores of "a" over its norms are (3 + 6) / (1 + 2) = 3; "end", which is frozen, has no part in it.
    assert raw("bn_scale", graph, channels, "b") == pytest.approx([3 * np.sqrt(10), 3 * np.sqrt(20)])


def test_a_gate_that_no_weight_reads_is_put_where_the_channel_is_made() -> None:
    graph, channels = pair()
    # As if "b" took "a" in without weights, as a dot product does.
    unread = {**channels.axes, "b": {"kernel": (None, channels.axes["b"]["kernel"][1])}}
    channels = replace(channels, axes=unread, consumes={**channels.consumes, "b": ()})

    def gradients() -> Iterator[Gradients]:
        yield {
            name: {w: np.ones_like(a) for w, a in layer.weights.items()}
            for name, layer in graph.layers.items()
        }

    # kernel [[1, 2], [3, 4]] and bias [1, 2] of "a": (1 + 3 + 1)² and (2 + 4 + 2)².
    assert raw("taylor", graph, channels, "a", gradients=gradients) == [25, 64]


def test_activity_is_the_score_and_gaps_are_filled() -> None:
    graph, channels = pair()
    magnitude = np.full(channels.groups, np.nan)
    first, second = channels.tensors["a"]
    magnitude[first] = 2 * np.sqrt(10)  # the norm of the first channel is √10, that of the second √20
    activity = Activity(magnitude=magnitude, nonzero=magnitude / 10)
    scores = CRITERIA["activation"].score(Evidence(graph=graph, channels=channels, activity=lambda: activity))
    assert scores[[first, second]] == pytest.approx([2 * np.sqrt(10), 2 * np.sqrt(20)])
    scores = CRITERIA["apoz"].score(Evidence(graph=graph, channels=channels, activity=lambda: activity))
    assert scores[[first, second]] == pytest.approx([0.2 * np.sqrt(10), 0.2 * np.sqrt(20)])


def test_apoz_falls_back_where_nothing_is_ever_zero() -> None:
    graph, channels = pair()
    ones = np.ones(channels.groups)
    activity = Activity(magnitude=ones, nonzero=ones)
    scores = CRITERIA["apoz"].score(Evidence(graph=graph, channels=channels, activity=lambda: activity))
    assert scores[channels.tensors["a"]] == pytest.approx([np.sqrt(10), np.sqrt(20)])


def curve(counts: list[int], drops: list[float], *, width: int) -> Curve:
    found = np.array(drops)
    return Curve(family="a", order=np.arange(width), counts=np.array(counts), metrics=1 - found, drops=found)


def test_slopes_follow_a_convex_curve() -> None:
    # Two channels for nothing, two for 0.1 each, and then as it went on.
    assert slopes_of(curve([2, 4], [0.0, 0.2], width=5)).tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.1])


def test_slopes_never_fall_even_where_the_metric_recovers_or_falls_at_once() -> None:
    # 0.3 at once, then better by chance, then 0.4: no straight line from 0 to 0.4 lies above the rest.
    assert slopes_of(curve([1, 2, 4], [0.3, 0.1, 0.4], width=4)).tolist() == pytest.approx([0.1] * 4)


def test_sensitivity_takes_channels_where_the_curve_is_flat_and_keeps_their_order() -> None:
    graph, channels = pair()
    flat = Curve(
        family="a",
        order=channels.tensors["a"][::-1],
        counts=np.array([1, 2]),
        metrics=np.array([1.0, 0.5]),
        drops=np.array([0.0, 0.5]),
    )
    scores = score_groups(
        CRITERIA["sensitivity"], Evidence(graph=graph, channels=channels, curves=lambda: [flat])
    )
    kept, goes_first = scores[channels.tensors["a"]]
    assert 0 < goes_first < 0.001
    assert kept == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [4 / 5, 6 / 5]),
        ("max", [4 / 6, 1]),
        ("sum", [0.4, 0.6]),
        ("norm", [4 / np.sqrt(52), 6 / np.sqrt(52)]),
        ("lamp", [16 / 52, 1]),
        ("none", [4, 6]),
    ],
)
def test_normalisers_divide_by_what_their_name_says(name: str, expected: list[float]) -> None:
    graph, channels = pair()
    scores = score_groups(CRITERIA["l1"], Evidence(graph=graph, channels=channels), normalise=name)
    assert scores[channels.tensors["a"]].tolist() == pytest.approx(expected)


def test_a_misspelt_normaliser_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mean'"):
        score_groups(CRITERIA["l1"], Evidence(graph=pair()[0], channels=pair()[1]), normalise="meen")
