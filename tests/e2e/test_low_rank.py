"""Kernels of low rank in builds: asked for in a recipe, or tried where flash binds."""

from pathlib import Path

import keras
import numpy as np
import pytest
from e2e.conftest import DIGITS
from keras import layers

import edgeprune

LESS = 92.0
"""KiB of flash; the dense model takes about 110."""


@pytest.fixture(scope="module")
def wide() -> keras.Model:
    """A classifier of digits whose weights take most of its flash."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = layers.Dense(640, activation="relu", name="dense")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(10, activation="softmax", name="head")(x), name="wide")
    with np.load(DIGITS) as digits:
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=4, verbose=0)
    return model


def test_a_share_that_is_asked_for_is_what_is_left(wide: keras.Model, tmp_path: Path) -> None:
    built = edgeprune.build(
        wide, DIGITS, device="cortex-m7", low_rank=0.5, epochs=1, max_drop=0.1, progress=False
    )
    kinds = [step["kind"] for step in built.report.steps]
    assert kinds == ["dense", "low_rank", "final"]
    assert built.report.steps[1]["note"].startswith("dense ")
    assert built.report.sparsity is not None
    assert built.report.sparsity["why"] == f"Low rank, as asked: {built.report.steps[1]['note']}."
    dense, pruned = built.report.dense, built.report.pruned
    assert pruned["tflite_bytes"] < 0.65 * dense["tflite_bytes"]
    made = {layer["name"]: layer for layer in built.report.layers}
    assert made["dense_low_rank"]["params_before"] == 0
    assert sum(layer["params_after"] for layer in built.report.layers) == pruned["params"]
    assert {layer.name for layer in built.model.layers} >= {"dense_low_rank", "dense", "head"}


def test_where_flash_binds_low_rank_is_tried_and_the_budget_is_met(wide: keras.Model) -> None:
    built = edgeprune.build(
        wide,
        DIGITS,
        device="cortex-m7",
        flash_kib=LESS,
        latency_ms=1000,
        epochs=4,
        max_drop=1.0,
        progress=False,
    )
    assert built.report.sparsity is not None
    assert "low rank in 1 layer" in built.report.sparsity["why"]
    assert "channels alone" in built.report.sparsity["why"]
    assert built.report.pruned["flash_bytes"] <= LESS * 1024 < built.report.dense["flash_bytes"]
