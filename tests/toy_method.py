"""A way to reach a budget in one file: of each weight its sign stays, and one magnitude for each output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Worth
from edgeprune.methods.method import Applied, Asked, Phase


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
        # Like few values for many weights, which they are.
        flash = backend_of(profile).value_clusters().flash
        return Worth(flash=flash, reason="two values per output fit in one bit each")

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
