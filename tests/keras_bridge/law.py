"""The law of structured pruning, on random models: removing channels is the same as zeroing them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_pruning import draw_plan, random_inputs, randomise

from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, Compacted, compact, rebuild
from edgeprune.keras_bridge.model.trace import trace

Draw = Callable[[st.SearchStrategy[Any]], Any]
BuildModel = Callable[[Draw, str], keras.Model]
"""Draws a model that holds the layer kind it is told, if it can."""


@dataclass
class Tried:
    """What the law was checked on.

    Attributes:
        graphs: number of models.
        pruned: how many of them lost a channel: the others prove nothing.
        compared: how many have an output that is not constant: the others prove little.
        kinds: layer kind → number of models it was seen in.
    """

    graphs: int = 0
    pruned: int = 0
    compared: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


def check_law(build_model: BuildModel, *, graphs: int, kinds: Iterable[str]) -> Tried:
    """Holds the law against random models, and asks for the kinds that were seen least so far.

    Args:
        build_model: (draw, kind) → model.
        graphs: number of models.
        kinds: the layer kinds to ask for.

    Raises:
        AssertionError, InfeasibleError: a model breaks the law; hypothesis prints what it was drawn from.
    """
    tried = Tried()
    asked: Counter[str] = Counter(dict.fromkeys(kinds, 0))
    asked_of: dict[int, str] = {}  # so that hypothesis can draw the same model again

    def ask(seed: int) -> str:
        if seed not in asked_of:
            asked_of[seed] = min(asked, key=lambda kind: (asked[kind] + tried.kinds[kind], asked[kind]))
            asked[asked_of[seed]] += 1
        return asked_of[seed]

    @settings(
        max_examples=graphs,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # shrinking a Keras model takes minutes; the draws are printed all the same
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(data=st.data(), token=st.binary(min_size=4, max_size=4))  # integers come out small, and so twice
    def law(data: st.DataObject, token: bytes) -> None:
        seed = int.from_bytes(token, "big")
        model = build_model(data.draw, ask(seed))
        assert_law(model, seed, tried)

    law()
    return tried


def assert_law(model: keras.Model, seed: int, tried: Tried) -> None:
    """Prunes the model at random and asserts all that must hold; counts what was tried."""
    rng = np.random.default_rng(seed)
    randomise(model, rng)
    before = [np.array(w) for w in model.get_weights()]
    probe = random_inputs(model, rng)
    traced = trace(model)
    channels = name_channels(traced.graph)
    dense = [np.asarray(y) for y in call(model, probe, training=False)]
    if seed % 4 == 1:
        same = rebuild(model, traced, graph=traced.graph)
        for a, b in zip(dense, call(same, probe, training=False), strict=True):
            np.testing.assert_array_equal(a, np.asarray(b), err_msg="the empty plan is the identity")

    kept = draw_plan(channels, rng)
    compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg="the original is as it was")
    assert compacted.error <= TOLERANCE
    assert compacted.model.output_shape == model.output_shape
    assert compacted.model.count_params() == compacted.graph.params
    for name in channels.kept_layers:
        for weight, array in traced.graph.layers[name].weights.items():
            if all(ids is None for ids in channels.axes[name][weight]):
                np.testing.assert_array_equal(compacted.graph.layers[name].weights[weight], array)
    for name in channels.tensors:
        if not any(channels.prunable[ids].any() for ids in channels.along(name) if ids is not None):
            assert compacted.graph.shapes[name] == traced.graph.shapes[name]
    if seed % 8 == 0:
        assert_survives_a_file(compacted, probe)

    tried.graphs += 1
    tried.pruned += not kept.all()
    tried.compared += any(y.std() > 0 for y in dense)
    tried.kinds.update({layer.kind for layer in traced.graph.layers.values()})


def assert_survives_a_file(compacted: Compacted, probe: list[np.ndarray]) -> None:
    """Saved and loaded, the compacted model computes the same."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        compacted.model.save(path)
        loaded = keras.models.load_model(path)
    expected = call(compacted.model, probe, training=False)
    for a, b in zip(expected, call(loaded, probe, training=False), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-5)
