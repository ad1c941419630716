"""Channels, low rank, zeros or clusters, or some of them: how a build comes to its budgets, and doing it.

Channels save flash, RAM and time everywhere. Factors of low rank save flash and time where the outputs of
layers have a low rank; what is done to weights saves what the device's runtime makes of it: flash. Whatever
saves what is over its budget is tried on the model at hand, and what loses least accuracy is taken; see
`trials.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from edgeprune.config.training_options import AS_GIVEN
from edgeprune.methods.finished import load_applied, save_applied
from edgeprune.methods.low_rank import LowRank, pick_ranks, propose_ranks, reach_budgets
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
    from edgeprune.keras_bridge.training.trainer import Trainer

LEAST_EPOCHS = 4
"""With fewer epochs nothing is tried: a trial would say little, and leave little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        factors: ranks of the kernels that are factorised first; None for none.
        setting: what is done to weights last; None for nothing.
        epochs: what is left of the build's epochs after trials.
        note: why, in at most two sentences; "" where there was no question.
    """

    factors: LowRank | None = None
    setting: Setting | None = None
    epochs: int
    note: str = ""


def choose_method(asked: Asked, *, wanted: Setting | None, trainer: Trainer) -> Choice:
    """By which methods this model comes to its budgets on this device.

    What is wanted is done. Otherwise low rank is considered where flash or latency is over its budget, and
    methods that shape weights where flash is and the device stores their weights in less: the mildest setting
    of each that meets these budgets is found on files, and tried against channels alone.

    Args:
        asked: where pruning starts, and what must hold.
        wanted: what somebody asked to be done to weights; None where the device decides.
        trainer: of the whole build; its work keeps the choice.

    Raises:
        RecipeError: low rank is asked to save more than it can.
    """
    epochs = trainer.epochs
    if wanted is not None or asked.low_rank not in (None, 1):
        return _as_wanted(asked, wanted, epochs=epochs)
    over = exceeded(asked.start.cost, asked.budgets)
    worths = {
        method.name: method.worth(asked.profile, scheme=asked.scheme)
        for method in list_methods("weights")
        if "flash" in over
    }
    methods = [METHODS[name] for name, worth in worths.items() if worth.flash]
    if (finished := trainer.work.load("choice")) is not None:
        return read_choice(finished[1])
    proposed = propose_ranks(asked, over=over) if epochs >= LEAST_EPOCHS else []
    if not methods and not proposed:
        reasons = "; ".join(worth.reason for worth in worths.values())
        return Choice(epochs=epochs, note=f"Channels alone: {reasons}." if reasons else "")
    if epochs < LEAST_EPOCHS:
        return Choice(epochs=epochs, note="Channels alone: with so few epochs nothing else is tried.")
    tried = try_methods(asked, methods, proposed, trainer=trainer)
    left = max(1, epochs - tried.epochs)
    choice = Choice(factors=tried.factors, setting=tried.setting, epochs=left, note=tried.note)
    with trainer.work.finish("choice", write_choice(choice)):
        pass
    return choice


def _as_wanted(asked: Asked, wanted: Setting | None, *, epochs: int) -> Choice:
    """What somebody asked for, with why it is worth it."""
    factors, notes = None, []
    if asked.low_rank is not None and asked.low_rank < 1:
        factors = pick_ranks(asked, share=asked.low_rank)
        notes.append(f"Low rank, as asked: {factors.list_ranks()}.")
    if wanted is not None:
        worth = METHODS[wanted.name].worth(asked.profile, setting=wanted, scheme=asked.scheme)
        notes.append(f"{wanted.name.capitalize()}, as asked: {worth.reason}.")
    return Choice(factors=factors, setting=wanted, epochs=epochs, note=" ".join(notes))


def carry_out(choice: Choice, asked: Asked, *, dense_flash_bytes: float, trainer: Trainer) -> Applied:
    """The model with the choice carried out: low rank, channels as far as the budgets ask, then the weights.

    Where weights are shaped last, the rest gets half of the epochs, and need save no flash that the weights
    will save.

    Args:
        choice: what was chosen.
        asked: where pruning starts, and what must hold.
        dense_flash_bytes: what the dense model takes.
        trainer: of the whole build.

    Raises:
        InfeasibleError: no plan meets the budgets, or a layer cannot be factorised.
    """
    budgets, epochs = asked.budgets, choice.epochs
    if choice.setting is not None:
        epochs = max(1, epochs // 2)
        worth = METHODS[choice.setting.name].worth(asked.profile, setting=choice.setting)
        budgets = free_flash(budgets, to=dense_flash_bytes) if worth.flash else budgets
    start = asked.start
    narrowing = trainer.for_epochs(epochs)
    if choice.setting is not None:
        narrowing = replace(narrowing, duration=AS_GIVEN)
    narrowed = reach_budgets(replace(asked, budgets=budgets), choice.factors, trainer=narrowing)
    applied = replace(
        narrowed,
        steps=[*start.steps, *narrowed.steps],
        equivalence=[*start.equivalence, *narrowed.equivalence],
    )
    if choice.setting is None:
        return applied
    left = choice.epochs if applied.model is start.model else choice.epochs - choice.epochs // 2
    return _shape(applied, choice.setting, trainer=trainer.for_epochs(left))


def free_flash(budgets: Budgets, *, to: float) -> Budgets:
    """The budgets with one of flash, if any, that already holds: something else will save flash."""
    return {name: max(limit, to) if name == "flash" else limit for name, limit in budgets.items()}


def _shape(narrowed: Applied, setting: Setting, *, trainer: Trainer) -> Applied:
    """The model with its weights shaped, now or before the build was interrupted, as the last step."""
    if (shaped := load_applied(trainer.work, stage="shaped", original=trainer.teacher)) is None:
        shaped = METHODS[setting.name].apply(narrowed.model, setting, trainer=trainer)
        save_applied(shaped, trainer.work, stage="shaped")
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
    steps = [*narrowed.steps, row]
    return replace(shaped, steps=steps, equivalence=narrowed.equivalence, plans=narrowed.plans)


def write_choice(choice: Choice) -> dict[str, Any]:
    """The choice as JSON takes it."""
    return {
        "factors": write_setting(choice.factors),
        "setting": write_setting(choice.setting),
        "epochs": choice.epochs,
        "note": choice.note,
    }


def read_choice(state: Mapping[str, Any]) -> Choice:
    """What `write_choice` made of a choice."""
    factors, setting = (read_setting(state[name]) for name in ("factors", "setting"))
    return Choice(
        factors=cast("LowRank | None", factors), setting=setting, epochs=state["epochs"], note=state["note"]
    )
