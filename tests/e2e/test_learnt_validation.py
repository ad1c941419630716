"""Validation samples that were held out of what the original had learnt: its score on them is a memory."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import edgeprune
from edgeprune.build.inputs import Inputs, open_inputs
from edgeprune.config.training_options import AS_COMPILED
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.methods import loop
from edgeprune.progress import Silent

SAMPLES = 600
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    """A classifier that knows a third of its training labels, which are wrong, by heart."""
    fix_seeds(0)
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for part in ("train", "test", "val"):
        x = rng.standard_normal((SAMPLES, 32)).astype(np.float32)
        wrong = rng.random(SAMPLES) < 0.3
        arrays |= {f"x_{part}": x, f"y_{part}": ((x[:, 0] > 0) ^ wrong).astype(np.int64)}
    model = keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(arrays["x_train"], arrays["y_train"], epochs=40, verbose=0)
    path = tmp_path_factory.mktemp("memory") / "model.keras"
    model.save(path)
    return path, arrays


def open_with(path: Path, arrays: Arrays) -> Inputs:
    return open_inputs(path, arrays, options=AS_COMPILED, seed=0, progress=Silent())


def test_the_reference_is_what_it_scores_on_what_it_has_not_learnt(memory: tuple[Path, Arrays]) -> None:
    path, arrays = memory
    learnt = {name: array for name, array in arrays.items() if not name.endswith("_val")}
    inputs = open_with(path, learnt)
    assert inputs.score == 1.0
    assert inputs.reference == pytest.approx(inputs.test.score_model(inputs.teacher))
    assert inputs.reference < 0.75
    assert any("give x_val and y_val that it has not seen" in note for note in inputs.notes)


def test_a_validation_set_of_ones_own_is_the_reference(memory: tuple[Path, Arrays]) -> None:
    inputs = open_with(*memory)
    assert inputs.reference == inputs.score < 0.75
    assert not any("x_val" in note for note in inputs.notes)


def test_no_step_is_rolled_back_for_a_memory(
    memory: tuple[Path, Arrays], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "COLLAPSE_DROP", 0.1)
    path, arrays = memory
    learnt = {name: array for name, array in arrays.items() if not name.endswith("_val")}
    result = edgeprune.build(
        path,
        learnt,
        device="cortex-m7",
        output=tmp_path / "out",
        flash_kib=58,
        epochs=2,
        max_drop="100%",
        progress=False,
    )
    steps = result.report.steps
    assert steps[0]["accuracy"] == 1.0
    assert min(step["accuracy"] for step in steps) < 0.85  # a collapse, if 1.0 were what is to be reached
    assert "rollback" not in {step["kind"] for step in steps}
