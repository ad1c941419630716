"""Channels, zeros or clusters, or two of them: by which methods a build comes to its budgets, and doing it.

Channels save flash, RAM and time everywhere. What is done to weights saves what the device's runtime makes of
it: where that is flash, and flash is over its budget, all methods that do so are tried on the model at hand,
and what loses least accuracy is taken; see `trials.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.config.training_options import AS_GIVEN
from edgeprune.methods.channels import ToBudgets
from edgeprune.methods.method import (
    METHODS,
    Applied,
    Asked,
    Setting,
    list_methods,
    read_setting,
    write_setting,
)
from edgeprune.methods.pricing import Budgets, exceeded
from edgeprune.methods.start import describe_step
from edgeprune.methods.trials import try_methods

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer

LEAST_EPOCHS = 4
"""With fewer epochs nothing is tried: a trial would say little, and leave little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        setting: what is done to weights last; None for channels alone.
        epochs: what is left of the build's epochs after trials.
        note: why, in at most two sentences; "" where there was no question.
    """

    setting: Setting | None = None
    epochs: int
    note: str = ""


def choose_method(asked: Asked, *, wanted: Setting | None, trainer: Trainer) -> Choice:
    """By which methods this model comes to its budgets on this device.

    What is wanted is done. Otherwise methods that shape weights are considered where flash is over its budget
    and the device stores their weights in less: the mildest setting of each that brings flash under its
    budget is found on files, and tried against channels alone.

    Args:
        asked: where pruning starts, and what must hold.
        wanted: what somebody asked to be done to weights; None where the device decides.
        trainer: of the whole build; its work keeps the choice.
    """
    epochs = trainer.epochs
    if wanted is not None:
        worth = METHODS[wanted.name].worth(asked.profile, setting=wanted, scheme=asked.scheme)
        note = f"{wanted.name.capitalize()}, as asked: {worth.reason}."
        return Choice(setting=wanted, epochs=epochs, note=note)
    if "flash" not in exceeded(asked.start.cost, asked.budgets):
        return Choice(epochs=epochs)
    worths = {
        method.name: method.worth(asked.profile, scheme=asked.scheme) for method in list_methods("weights")
    }
    if not any(worth.flash for worth in worths.values()):
        reasons = "; ".join(worth.reason for worth in worths.values())
        return Choice(epochs=epochs, note=f"Channels alone: {reasons}.")
    if epochs < LEAST_EPOCHS:
        return Choice(epochs=epochs, note="Channels alone: with so few epochs nothing else is tried.")
    if (finished := trainer.work.load("choice")) is not None:
        return read_choice(finished[1])
    methods = [METHODS[name] for name, worth in worths.items() if worth.flash]
    tried = try_methods(asked, methods, trainer=trainer)
    choice = Choice(setting=tried.setting, epochs=max(1, epochs - tried.epochs), note=tried.note)
    with trainer.work.finish("choice", write_choice(choice)):
        pass
    return choice


def carry_out(choice: Choice, asked: Asked, *, dense_flash_bytes: float, trainer: Trainer) -> Applied:
    """The model with the choice carried out: channels as far as the budgets ask, then the weights.

    Where weights are shaped last, channels get half of the epochs, and need save no flash that the weights
    will save.

    Args:
        choice: what was chosen.
        asked: where pruning starts, and what must hold.
        dense_flash_bytes: what the dense model takes.
        trainer: of the whole build.

    Raises:
        InfeasibleError: no plan meets the budgets.
    """
    budgets, epochs = asked.budgets, choice.epochs
    if choice.setting is not None:
        epochs = max(1, epochs // 2)
        worth = METHODS[choice.setting.name].worth(asked.profile, setting=choice.setting)
        budgets = free_flash(budgets, to=dense_flash_bytes) if worth.flash else budgets
    start = asked.start
    applied = Applied(model=start.model, accuracy=start.steps[-1]["accuracy"])
    is_narrowed = bool(exceeded(start.cost, budgets))
    if is_narrowed:
        setting = ToBudgets(asked=replace(asked, budgets=budgets))
        narrowing = trainer.for_epochs(epochs)
        if choice.setting is not None:
            narrowing = replace(narrowing, duration=AS_GIVEN)
        applied = METHODS["channels"].apply(start.model, setting, trainer=narrowing)
    applied = replace(
        applied,
        steps=[*start.steps, *applied.steps],
        equivalence=[*start.equivalence, *applied.equivalence],
    )
    if choice.setting is None:
        return applied
    left = choice.epochs - choice.epochs // 2 if is_narrowed else choice.epochs
    return _shape(applied, choice.setting, trainer=trainer.for_epochs(left))


def free_flash(budgets: Budgets, *, to: float) -> Budgets:
    """The budgets with one of flash, if any, that already holds: something else will save flash."""
    return {name: max(limit, to) if name == "flash" else limit for name, limit in budgets.items()}


def _shape(narrowed: Applied, setting: Setting, *, trainer: Trainer) -> Applied:
    """The model with its weights shaped, now or before the build was interrupted, as the last step."""
    if (shaped := _load(trainer)) is None:
        shaped = METHODS[setting.name].apply(narrowed.model, setting, trainer=trainer)
        _save(shaped, trainer)
    last = narrowed.steps[-1]
    row = describe_step(
        len(narrowed.steps),
        setting.name,
        model=shaped.model,
        cost=last["cost"],
        macs=last["macs"],
        accuracy=shaped.accuracy,
        epochs=last["epochs"] + trainer.epochs,
        note=shaped.note,
    )
    return replace(shaped, steps=[*narrowed.steps, row], equivalence=narrowed.equivalence)


_FACTS = ("accuracy", "note", "is_shaped", "may_scale")


def _save(shaped: Applied, trainer: Trainer) -> None:
    from edgeprune.keras_bridge.loading.save import save_model

    names = list(shaped.zeros)
    state = {**{name: getattr(shaped, name) for name in _FACTS}, "kernels": names}
    with trainer.work.finish("shaped", state) as folder:
        save_model(shaped.model, folder / "model.keras")
        np.savez(folder / "zeros.npz", *(shaped.zeros[name] for name in names))


def _load(trainer: Trainer) -> Applied | None:
    from edgeprune.keras_bridge.loading.save import open_saved

    if (finished := trainer.work.load("shaped")) is None:
        return None
    folder, state = finished
    with np.load(folder / "zeros.npz") as arrays:
        masks = [arrays[name] for name in arrays.files]
    model: keras.Model = open_saved(folder / "model.keras")
    zeros = dict(zip(state["kernels"], masks, strict=True))
    return Applied(model=model, zeros=zeros, **{name: state[name] for name in _FACTS})


def write_choice(choice: Choice) -> dict[str, Any]:
    """The choice as JSON takes it."""
    return {"setting": write_setting(choice.setting), "epochs": choice.epochs, "note": choice.note}


def read_choice(state: Mapping[str, Any]) -> Choice:
    """What `write_choice` made of a choice."""
    return Choice(setting=read_setting(state["setting"]), epochs=state["epochs"], note=state["note"])
