"""A method that edgeprune does not know: a build tries it, or does it where it is asked for."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from e2e.conftest import DIGITS
from keras import layers
from toy_method import Signs, SignsMethod

from edgeprune.build.request import BuildRequest
from edgeprune.commands.build import build
from edgeprune.errors import RecipeError
from edgeprune.methods.method import METHODS, read_setting, write_setting
from edgeprune.progress import Silent


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of digits whose weights take most of its flash."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = layers.Dense(640, activation="relu", name="dense")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(10, activation="softmax", name="head")(x), name="wide")
    with np.load(DIGITS) as digits:
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("wide") / "wide.keras"
    model.save(path)
    return path


def ask(model: Path, output: Path, **changes: Any) -> BuildRequest:
    return BuildRequest(
        model=model,
        device="cortex-m7",
        data=str(DIGITS),
        output=output,
        max_drop=1.0,
        latency_ms=1000.0,
        **changes,
    )


def test_a_method_in_one_file_is_tried_where_it_saves_what_is_exceeded(wide: Path, tmp_path: Path) -> None:
    with METHODS.adding("signs", SignsMethod()):
        report = build(ask(wide, tmp_path / "out", flash_kib=92.0, epochs=4), progress=Silent()).report
    assert report.sparsity is not None
    assert "signs of dense" in report.sparsity["why"]
    assert "unstructured, global" in report.sparsity["why"], "the others are tried as ever"


def test_a_method_in_one_file_is_carried_out_as_asked_and_stored_encoded(wide: Path, tmp_path: Path) -> None:
    with METHODS.adding("signs", SignsMethod()):
        report = build(ask(wide, tmp_path / "out", setting=Signs(), epochs=1), progress=Silent()).report
    assert report.steps[-1]["kind"] == "signs"
    assert report.sparsity is not None
    assert report.sparsity["why"] == "Signs, as asked: two values per output fit in one bit each."
    plain, encoded = (tmp_path / "out" / name for name in ("model.tflite", "model_encoded.tflite"))
    assert encoded.stat().st_size < 0.5 * plain.stat().st_size


def test_a_setting_that_cannot_be_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with METHODS.adding("signs", SignsMethod()), pytest.raises(RecipeError, match="no layer is named"):
        build(ask(tmp_path / "nothing.keras", tmp_path / "out", setting=Signs(layer="")), progress=Silent())


def test_a_setting_survives_an_interruption() -> None:
    with METHODS.adding("signs", SignsMethod()):
        assert read_setting(json.loads(json.dumps(write_setting(Signs(layer="head"))))) == Signs(layer="head")
        assert read_setting(write_setting(None)) is None
