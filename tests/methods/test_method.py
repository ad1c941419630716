"""A way to reach a budget is one file, this one: a build tries it, or does it where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from e2e.conftest import DIGITS
from keras import layers

from edgeprune.build.request import BuildRequest
from edgeprune.commands.build import build
from edgeprune.device.profile import Profile
from edgeprune.device.zeros import Worth
from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.training.evaluation import copy_model
from edgeprune.methods.method import METHODS, Applied, Asked, Phase, read_setting, write_setting
from edgeprune.progress import Silent


@dataclass(frozen=True, kw_only=True, slots=True)
class Signs:
    """Each output's weights become plus or minus their mean magnitude, in the layers whose names match."""

    layer: str = "dense"

    @property
    def name(self) -> str:
        return "signs"

    @property
    def flag(self) -> str:
        return "--signs"

    def describe(self) -> str:
        return f"signs of {self.layer}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignsMethod:
    name: str = "signs"
    title: str = "keep signs alone"
    phase: Phase = "weights"
    setting: type[Signs] = Signs

    def worth(self, profile: Profile, *, setting: Signs | None = None, scheme: str = "int8") -> Worth:
        decodes = "tflm-prune" in profile.runtime.decodes
        return Worth(flash=decodes, reason="two values per output fit in one bit each")

    def check(self, setting: Signs) -> None:
        if not setting.layer:
            raise RecipeError("no layer is named")

    def settings(self, asked: Asked) -> Sequence[Signs]:
        return [Signs()]

    def preview(self, model: keras.Model, setting: Signs) -> keras.Model:
        signed = copy_model(model)
        for layer in signed.layers:
            if setting.layer in layer.name and layer.weights:
                kernel, *rest = layer.get_weights()
                mean = np.abs(kernel).mean(axis=0, keepdims=True)
                layer.set_weights([np.where(kernel < 0, -mean, mean), *rest])
        return signed

    def apply(self, model: keras.Model, setting: Signs, *, trainer: Any) -> Applied:
        trainer.progress.advance(trainer.plan_recovery().total_steps)
        signed = self.preview(model, setting)
        accuracy = trainer.evaluator.score_model(signed)
        return Applied(model=signed, accuracy=accuracy, note="signs", is_shaped=True, may_scale=False)


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
        report = build(ask(wide, tmp_path / "out", flash_kib=92.0, epochs=4), progress=Silent())
    assert report.sparsity is not None
    assert "signs of dense" in report.sparsity["why"]
    assert "unstructured, global" in report.sparsity["why"], "the others are tried as ever"


def test_a_method_in_one_file_is_carried_out_as_asked_and_stored_encoded(wide: Path, tmp_path: Path) -> None:
    with METHODS.adding("signs", SignsMethod()):
        report = build(ask(wide, tmp_path / "out", shaping=Signs(), epochs=1), progress=Silent())
    assert report.steps[-1]["kind"] == "signs"
    assert report.sparsity is not None
    assert report.sparsity["why"] == "Signs, as asked: two values per output fit in one bit each."
    plain, encoded = (tmp_path / "out" / name for name in ("model.tflite", "model_encoded.tflite"))
    assert encoded.stat().st_size < 0.5 * plain.stat().st_size


def test_a_setting_that_cannot_be_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with METHODS.adding("signs", SignsMethod()), pytest.raises(RecipeError, match="no layer is named"):
        build(ask(tmp_path / "nothing.keras", tmp_path / "out", shaping=Signs(layer="")), progress=Silent())


def test_a_setting_survives_an_interruption() -> None:
    with METHODS.adding("signs", SignsMethod()):
        assert read_setting(json.loads(json.dumps(write_setting(Signs(layer="head"))))) == Signs(layer="head")
        assert read_setting(write_setting(None)) is None
