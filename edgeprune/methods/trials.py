"""Channels and what may be done to weights, on trial: each is given a few epochs, at the same flash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeprune.errors import InfeasibleError
from edgeprune.methods.channels import ToBudgets
from edgeprune.methods.method import METHODS, Asked, Method, Setting, find_mildest
from edgeprune.methods.pricing import exceeded

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer

TRIAL_SHARE = 0.25
"""Fraction of all epochs that the trials take together, but at least one epoch each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What the trials say.

    Attributes:
        setting: what lost least; None for channels alone.
        epochs: what the trials took.
        note: why, as a sentence.
    """

    setting: Setting | None = None
    epochs: int
    note: str


def try_methods(asked: Asked, methods: Sequence[Method], *, trainer: Trainer) -> Tried:
    """Which of channels alone and these methods loses least accuracy at the flash that is allowed.

    Args:
        asked: where pruning starts, and what must hold; flash does not.
        methods: what may be done to weights; each saves flash on the device.
        trainer: of the whole build.
    """
    start, evaluator = asked.start, trainer.evaluator
    rest = [name for name in exceeded(start.cost, asked.budgets) if name != "flash"]
    trials = 1 + len(methods) + bool(rest)
    epochs = max(1, round(TRIAL_SHARE * trainer.epochs / trials))
    steps = trainer.for_epochs(epochs).plan_recovery().total_steps
    names = ["channels", *(method.name for method in methods)]
    trainer.progress.stage(f"{', '.join(names[:-1])} or {names[-1]}: try each", total=trials * steps)
    trial = trainer.on_trial(epochs)

    def end(note: str, setting: Setting | None = None) -> Tried:
        return Tried(setting=setting, epochs=trials * epochs, note=note)

    narrow, missed = _try_channels(asked, trainer=trial)
    model = start.model
    if rest:
        free = {**asked.budgets, "flash": max(asked.budgets["flash"], start.cost["flash"])}
        found, _ = _try_channels(replace(asked, budgets=free), trainer=trial)
        if found is None:
            return end(f"Channels alone: {' and '.join(rest)} cannot be met on trial.")
        model = found
    dense = trainer.reference
    lost: dict[str, tuple[float, Setting | None]] = {}
    if narrow is not None:
        lost["channels alone"] = (evaluator.drop(before=dense, after=evaluator.score_model(narrow)), None)
    for method in methods:
        if (setting := find_mildest(method, asked, model=model)) is not None:
            accuracy = method.apply(model, setting, trainer=trial).accuracy
            lost[setting.describe()] = (evaluator.drop(before=dense, after=accuracy), setting)
    if all(setting is None for _, setting in lost.values()):
        return end(f"Channels alone: {_list_strongest(asked, methods)} bring flash under its budget.")
    best = min(lost, key=lambda name: lost[name][0])
    setting = lost[best][1]
    name = best if setting is None else setting.name
    if setting is not None and rest:
        name = f"Channels for the other budgets, then {name.lower()}"
    told = ", ".join(f"{what} {drop:.4f}" for what, (drop, _) in lost.items())
    told = f"lost after {epochs} epochs on trial, at the same flash, of {evaluator.task.metric}: {told}"
    if narrow is None:
        told += f"; channels alone: {missed}"
    return end(f"{name[0].upper()}{name[1:]}: {told}.", setting)


def _list_strongest(asked: Asked, methods: Sequence[Method]) -> str:
    """For example "neither 0.95 unstructured, global zeros nor clusters of 4 values per output"."""
    strongest = [f"{method.name} ({method.settings(asked)[-1].describe()} at most)" for method in methods]
    if len(strongest) == 1:
        return f"no {strongest[0]}"
    return f"neither {', '.join(strongest[:-1])} nor {strongest[-1]}"


def _try_channels(asked: Asked, *, trainer: Trainer) -> tuple[keras.Model | None, str]:
    """The model after a short loop, or None and why there is none."""
    setting = ToBudgets(asked=replace(asked, whole_layers=False))
    try:
        return METHODS["channels"].apply(asked.start.model, setting, trainer=trainer).model, ""
    except InfeasibleError as error:
        return None, error.message
