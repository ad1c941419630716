"""The means of channels, and what is left of them once the channels are gone."""

import numpy as np
import pytest

from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import Layer, LayerGraph, Node
from edgeprune.graph.means import Normal, fold_means, rectify
from edgeprune.graph.surgery import remove_channels


@pytest.mark.parametrize("at_most", [None, 1.5])
@pytest.mark.parametrize("mean", [-2.0, 0.3, 3.0])
def test_a_rectified_normal_has_the_moments_of_its_samples(mean: float, at_most: float | None) -> None:
    drawn = np.random.default_rng(0).normal(mean, 1.4, 400_000)
    values = np.clip(drawn, 0, at_most)
    found = rectify(Normal(mean=np.array([mean]), variance=np.array([1.4**2])), at_most=at_most)
    assert found.mean[0] == pytest.approx(values.mean(), abs=0.01)
    assert found.variance[0] == pytest.approx(values.var(), abs=0.02)


def norm(channels: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = ("gamma", "beta", "moving_mean")
    drawn = {name: rng.standard_normal(channels).astype(np.float32) for name in names}
    return {**drawn, "moving_variance": rng.uniform(0.5, 2, channels).astype(np.float32)}


def chain(*, bias: bool) -> LayerGraph:
    """A dense layer, normalized and rectified, and one that reads it and is normalized, too."""
    rng = np.random.default_rng(1)
    second = {"kernel": rng.standard_normal((6, 4)).astype(np.float32)}
    if bias:
        second["bias"] = np.zeros(4, np.float32)
    layers = {
        "first": Layer(
            name="first",
            kind="Dense",
            config={"units": 6, "use_bias": False, "activation": "linear"},
            weights={"kernel": rng.standard_normal((5, 6)).astype(np.float32)},
        ),
        "norm": Layer(name="norm", kind="BatchNormalization", config={"axis": -1}, weights=norm(6, rng)),
        "relu": Layer(
            name="relu", kind="ReLU", config={"max_value": None, "negative_slope": 0, "threshold": 0}
        ),
        "second": Layer(
            name="second",
            kind="Dense",
            config={"units": 4, "use_bias": bias, "activation": "linear"},
            weights=second,
        ),
        "last": Layer(name="last", kind="BatchNormalization", config={"axis": -1}, weights=norm(4, rng)),
    }
    names = list(layers)
    tensors = ["x", *(f"{name}.out" for name in names)]
    nodes = tuple(
        Node(layer=name, inputs=(tensors[i],), outputs=(tensors[i + 1],)) for i, name in enumerate(names)
    )
    widths = (5, 6, 6, 6, 4, 4)
    return LayerGraph(
        layers=layers,
        nodes=nodes,
        inputs=("x",),
        outputs=(tensors[-1],),
        shapes={name: (width,) for name, width in zip(tensors, widths, strict=True)},
    )


@pytest.mark.parametrize("bias", [True, False])
def test_the_outputs_keep_their_mean_when_channels_go(bias: bool) -> None:
    graph = chain(bias=bias)
    channels = name_channels(graph)
    kept = channels.everything
    gone = channels.tensors["relu.out"][[1, 4]]
    kept[gone] = False
    smaller = remove_channels(graph, channels, kept=kept)
    changed = fold_means(graph, smaller, channels, kept=kept)
    x = np.random.default_rng(2).standard_normal((200_000, 6))
    weights = graph.layers["norm"].weights
    seen = np.maximum(x * weights["gamma"] + weights["beta"], 0)  # as BatchNorm promises
    lost = seen[:, [1, 4]] @ graph.layers["second"].weights["kernel"][[1, 4]]
    if bias:
        assert list(changed) == ["second"]
        np.testing.assert_allclose(changed["second"]["bias"], lost.mean(axis=0), atol=0.02)
    else:
        assert list(changed) == ["last"]
        before = graph.layers["last"].weights["moving_mean"]
        np.testing.assert_allclose(before - changed["last"]["moving_mean"], lost.mean(axis=0), atol=0.02)


def test_nothing_changes_where_nothing_goes() -> None:
    graph = chain(bias=True)
    channels = name_channels(graph)
    kept = channels.everything
    assert fold_means(graph, remove_channels(graph, channels, kept=kept), channels, kept=kept) == {}
