"""Pruned and fine-tuned models against their own architectures trained from scratch, three times as long."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import edgeprune
from edgeprune.keras_bridge.training.determinism import fix_seeds
from tests.e2e.setups import Setup, detector, keywords, segmenter

BATCH = 20
POINT = 0.01
"""Less than this is not told from seeds on 45 to 60 test samples."""
SEEDS = range(3)


def load_training_data(setup: Setup) -> dict[str, Any]:
    """What `fit` takes of it."""
    file, _, function = str(setup.data).partition(":")
    if function:
        spec = importlib.util.spec_from_file_location("training_data", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return {"x": getattr(module, function)()[0], "shuffle": False}  # the stream shuffles itself
    arrays = np.load(file)
    heads = {
        name.removeprefix("y_train_"): arrays[name] for name in arrays.files if name.startswith("y_train_")
    }
    return {"x": arrays["x_train"], "y": heads or arrays["y_train"], "batch_size": BATCH}


def train_from_scratch(
    architecture: keras.Model, data: dict[str, Any], *, epochs: int, seed: int
) -> keras.Model:
    fix_seeds(seed)
    model = keras.models.clone_model(architecture)
    model.compile_from_config(architecture.get_compile_config())
    model.fit(**data, epochs=epochs, verbose=0)
    return model


def score(setup: Setup, model: keras.Model) -> float:
    """More is better."""
    outputs = keras.tree.flatten(model.predict(setup.x_test[0], verbose=0))
    return setup.score(outputs) * (-1 if setup.metric == "loss" else 1)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("make", "fraction"),
    [(segmenter, 0.5), (detector, 0.5), (keywords, 0.6)],
    ids=["segmenter", "detector", "keywords"],
)
def test_a_build_loses_no_more_than_training_from_scratch(
    make: Callable[[Path], Setup], fraction: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    fix_seeds(0)
    setup = make(tmp_path)
    asked = {name: value for name, value in setup.options.items() if name == "custom"}
    asked |= {} if ":" in str(setup.data) else {"batch_size": BATCH}
    common: dict[str, Any] = {"data": setup.data, "device": "cortex-m7", "progress": False, **asked}
    dense = edgeprune.build(setup.model, latency_ms=1000.0, epochs=1, **common).report.dense["latency_ms"]
    data = load_training_data(setup)
    built, scratch = [], []
    for seed in SEEDS:
        output = tmp_path / f"out{seed}"
        result = edgeprune.build(
            setup.model, output=output, latency_ms=fraction * dense, max_drop=10.0, seed=seed, **common
        )
        epochs = round(3 * result.report.steps[-1]["epochs"])
        with keras.saving.custom_object_scope(setup.custom):
            pruned = keras.models.load_model(output / "model.keras")
            built.append(score(setup, pruned))
            scratch.append(score(setup, train_from_scratch(pruned, data, epochs=epochs, seed=seed)))
    told = f"built {np.round(built, 4)}, from scratch {np.round(scratch, 4)}"
    print(f"{make.__name__}, {epochs} epochs from scratch: {told}")
    assert np.mean(built) >= np.mean(scratch) - POINT
