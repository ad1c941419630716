"""Channels, low rank and what may be done to weights, on trial: a few epochs each, within one budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeprune.errors import InfeasibleError
from edgeprune.methods.low_rank import LowRank, reach_budgets
from edgeprune.methods.method import Asked, Method, Setting, find_mildest
from edgeprune.methods.pricing import exceeded

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.trainer import Trainer

ALONE = "channels alone"
LEAST_GAIN = 0.01
"""How much less than all else, as in `Task.drop`, low rank has to lose on trial."""
TRIAL_SHARE = 0.25
"""Fraction of all epochs that the trials take together, but at least one epoch each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What the trials say.

    Attributes:
        factors: ranks of the kernels to be factorised, where that lost least.
        setting: what is to be done to weights, where that did; None for both is channels alone.
        epochs: what the trials took.
        note: why, as a sentence.
    """

    factors: LowRank | None = None
    setting: Setting | None = None
    epochs: int
    note: str


def try_methods(
    asked: Asked, methods: Sequence[Method], proposed: Sequence[LowRank], *, trainer: Trainer
) -> Tried:
    """Which of channels alone, these methods and these ranks loses least accuracy within the budgets.

    Args:
        asked: where pruning starts, and what must hold.
        methods: what may be done to weights where flash does not hold; each saves flash on the device.
        proposed: ranks of the kernels that may be factorised before channels go.
        trainer: of the whole build.
    """
    start, evaluator = asked.start, trainer.evaluator
    rest = [name for name in exceeded(start.cost, asked.budgets) if name != "flash"]
    trials = 1 + len(methods) + len(proposed) + bool(rest and methods)
    epochs = max(1, round(TRIAL_SHARE * trainer.epochs / trials))
    steps = trainer.for_epochs(epochs).plan_recovery().total_steps
    names = ["channels", *(["low rank"] if proposed else []), *(method.name for method in methods)]
    trainer.progress.stage(f"{', '.join(names[:-1])} or {names[-1]}: try each", total=trials * steps)
    trial = trainer.on_trial(epochs)
    found = {
        **_try_ranks(asked, None, trainer=trial),
        **{name: one for ranks in proposed for name, one in _try_ranks(asked, ranks, trainer=trial).items()},
        **_try_shaping(asked, methods, rest=rest, trainer=trial),
    }
    dense = trainer.reference
    lost = {
        name: evaluator.drop(before=dense, after=one.accuracy)
        for name, one in found.items()
        if not one.missed
    }
    tried = Tried(epochs=trials * epochs, note="")
    if set(lost) <= {ALONE}:
        return replace(tried, note=f"Channels alone: {_say_missed(found, asked, methods)}.")
    # Factors are one more kind of layer, and more of them: a few samples' luck is no reason for it.
    best = min(lost, key=lambda name: lost[name] + LEAST_GAIN * (found[name].factors is not None))
    chosen = found[best]
    where = "at the same flash" if methods and not rest else "within the same budgets"
    told = ", ".join(f"{name} {_compare(drop)}" for name, drop in lost.items())
    length = "an epoch" if epochs == 1 else f"{epochs} epochs"
    told = f"tried for {length}, {where}; beside the original's {evaluator.task.metric}: {told}"
    if found[min(lost, key=lambda name: lost[name])].factors is not None and chosen.factors is None:
        told += f"; low rank is taken where it loses {LEAST_GAIN:g} less"
    if ALONE not in lost:
        told += f"; {ALONE}: {found[ALONE].missed}"
    tried_methods = {one.setting.name for one in found.values() if one.setting is not None}
    if weak := [method for method in methods if method.name not in tried_methods | set(found)]:
        told += f"; {_list_strongest(asked, weak)} bring flash under its budget"
    name = best if chosen.setting is None else chosen.setting.name
    if chosen.setting is not None and rest:
        name = f"Channels for the other budgets, then {name.lower()}"
    return replace(
        tried,
        factors=chosen.factors,
        setting=chosen.setting,
        note=f"{name[0].upper()}{name[1:]}: {told}.",
    )


def _compare(drop: float) -> str:
    return f"{abs(drop):.4f} {'worse' if drop > 0 else 'better'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """What became of one way.

    Attributes:
        factors, setting: the way, as in `Tried`.
        accuracy: the metric on validation data.
        missed: why it does not reach the budgets; "" where it does.
    """

    factors: LowRank | None = None
    setting: Setting | None = None
    accuracy: float = math.nan
    missed: str = ""


def _try_ranks(asked: Asked, ranks: LowRank | None, *, trainer: Trainer) -> dict[str, _Trial]:
    """Channels after kernels of these ranks, or alone."""
    name = ALONE if ranks is None else ranks.describe()
    try:
        applied = reach_budgets(replace(asked, is_trial=True), ranks, trainer=trainer)
    except InfeasibleError as error:
        return {name: _Trial(missed=error.message)}
    return {name: _Trial(factors=ranks, accuracy=trainer.evaluator.score_model(applied.model))}


def _try_shaping(
    asked: Asked, methods: Sequence[Method], *, rest: Sequence[str], trainer: Trainer
) -> dict[str, _Trial]:
    """These methods, after channels for the other budgets; without those that never meet that of flash."""
    model = asked.start.model
    if rest and methods:
        free = {**asked.budgets, "flash": max(asked.budgets["flash"], asked.start.cost["flash"])}
        others = replace(asked, budgets=free, is_trial=True)
        try:
            model = reach_budgets(others, None, trainer=trainer).model
        except InfeasibleError:
            missed = f"{' and '.join(rest)} cannot be met on trial"
            return {method.name: _Trial(missed=missed) for method in methods}
    found = {}
    for method in methods:
        if (setting := find_mildest(method, asked, model=model)) is not None:
            accuracy = method.apply(model, setting, trainer=trainer).accuracy
            found[setting.describe()] = _Trial(setting=setting, accuracy=accuracy)
    return found


def _say_missed(found: Mapping[str, _Trial], asked: Asked, methods: Sequence[Method]) -> str:
    """Why nothing but channels can reach the budgets, as a clause."""
    missed = next((one.missed for name, one in found.items() if name != ALONE and one.missed), "")
    return missed or f"{_list_strongest(asked, methods)} bring flash under its budget"


def _list_strongest(asked: Asked, methods: Sequence[Method]) -> str:
    """For example "neither 0.95 unstructured, global zeros nor clusters of 4 values per output"."""
    strongest = [f"{method.name} ({method.settings(asked)[-1].describe()} at most)" for method in methods]
    if len(strongest) == 1:
        return f"no {strongest[0]}"
    return f"neither {', '.join(strongest[:-1])} nor {strongest[-1]}"
