"""Removing whole layers equals skipping them, on residual, plain, shared and nested models."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from random_pruning import random_inputs, randomise

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import find_branches
from edgeprune.keras_bridge.loading.save import open_saved, save_model
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, drop_branches
from edgeprune.keras_bridge.model.trace import trace


def block(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    y = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(y))
    return layers.ReLU()(layers.Add()([x, y]))


def residual() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same")(image)
    x = block(block(x, 6), 6)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(8, activation="relu"),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(2),
        ]
    )


def shared() -> keras.Model:
    """One layer called twice, and an operator on tensors in place of an Add layer."""
    vector = keras.Input((5,))
    again = layers.Dense(8, activation="tanh")
    x = layers.Dense(8)(vector)
    return keras.Model(vector, layers.Dense(2)(again(again(x)) + x))


def nested() -> keras.Model:
    inside = keras.Input((8, 8, 6))
    inner = keras.Model(inside, block(inside, 6), name="inner")
    image = keras.Input((8, 8, 3), name="image")
    x = inner(inner(layers.Conv2D(6, 3, padding="same")(image)))
    return keras.Model({"image": image}, {"mean": layers.GlobalAveragePooling2D()(x)})


def told() -> keras.Model:
    """Layers that are told how to run where they are called."""
    vector = keras.Input((5,))
    x = layers.Dropout(0.5)(layers.Dense(8)(vector), training=False)
    x = layers.BatchNormalization()(layers.Dense(8)(x), training=False, mask=None)
    return keras.Model(vector, layers.Dense(2)(x))


@pytest.mark.parametrize("make", [residual, sequential, shared, nested, told])
def test_dropping_branches_equals_skipping_them(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    model = make()
    rng = np.random.default_rng(0)
    randomise(model, rng)
    probe = random_inputs(model, rng)
    traced = trace(model)
    branches = find_branches(traced.graph)
    assert branches
    before = [np.asarray(y) for y in call(model, probe, training=False)]
    for chosen in [[branch] for branch in branches] + [list(branches)]:
        dropped = drop_branches(model, traced, branches=chosen, probe=probe)
        assert dropped.error <= TOLERANCE
        assert dropped.model.count_params() == dropped.graph.params <= traced.graph.params
        found = [np.asarray(y) for y in call(dropped.model, probe, training=False)]
        assert any(not np.allclose(a, b) for a, b in zip(before, found, strict=True))
        save_model(dropped.model, tmp_path / "model.keras")
        again = call(open_saved(tmp_path / "model.keras", original=model), probe, training=False)
        for a, b in zip(found, again, strict=True):
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5, atol=1e-6)
    for a, b in zip(before, call(model, probe, training=False), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b), err_msg="the original is as it was")


def test_a_branch_dropped_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model = residual()
    rng = np.random.default_rng(0)
    randomise(model, rng)
    traced = trace(model)
    first, *_ = find_branches(traced.graph)
    monkeypatch.setattr("edgeprune.keras_bridge.model.rebuild.bypass", lambda graph, branches: graph)
    with pytest.raises(InfeasibleError, match="differs"):
        drop_branches(model, traced, branches=[first], probe=random_inputs(model, rng))
