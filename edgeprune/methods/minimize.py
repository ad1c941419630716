"""The least of a budget that a model can do with: bisection, from the smallest model that was good so far.

A trial prunes to a budget and recovers; it is good where the drop on validation data is within what may be
lost. The first starts from the dense model and takes a whole build's epochs; the others start from the
smallest good model so far and take half of them, so that six trials cost three and a half builds. A budget
that no plan meets costs no training.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.training_options import AS_GIVEN
from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.methods.choose import Choice, carry_out
from edgeprune.methods.method import Applied, Asked
from edgeprune.methods.start import Start
from edgeprune.progress import Checkpoints
from edgeprune.report.sections.minimized import TrialPart
from edgeprune.units import say_drop

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.trainer import Trainer

TRIALS = 6
CLOSE = 1.05
"""The search ends where the smallest good cost is at most so many times the largest that was not."""
_FIRST = 0.5
"""Of the dense model's cost, what the first trial may take."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Good:
    """A model whose drop is small enough.

    Attributes:
        budget: that it keeps to, in the figure's unit.
        applied: the model, and what was done.
    """

    budget: float
    applied: Applied


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Minimized:
    """What the search found.

    Attributes:
        good: the models, the smallest first; the last is where pruning starts.
        trials: rows of the report, in their order.
    """

    good: tuple[Good, ...]
    trials: tuple[TrialPart, ...]


def find_least(asked: Asked, *, kind: str, max_drop: float, trainer: Trainer) -> Minimized:
    """The smallest models that lose no more than may be lost, of a name in `BUDGETS`.

    Args:
        asked: where pruning starts, and the other budgets.
        kind: what is to become small; the start has a cost of it.
        max_drop: on validation data, as `Task.drop` counts it.
        trainer: of a whole build; its work keeps what trials finish.
    """
    start, epochs = asked.start, trainer.epochs
    as_is = Applied(
        model=start.model, accuracy=trainer.reference, steps=start.steps, equivalence=start.equivalence
    )
    good = [Good(budget=start.cost[kind], applied=as_is)]
    trials: list[TrialPart] = []
    low, trained = 0.0, 0
    while trained < TRIALS and good[0].budget > CLOSE * low:
        high = good[0].budget
        budget = _FIRST * high if not trials else (low + high) / 2
        number, is_first = len(trials) + 1, not trained
        narrowing = trainer if is_first else _in_half(trainer, epochs)
        narrowing = replace(narrowing, work=Numbered(trainer.work, number))
        trainer.progress.note(f"trial {number}: {BUDGETS[kind].say(budget)}")
        try:
            applied = _narrow(asked, good[0].applied, kind=kind, budget=budget, trainer=narrowing)
        except InfeasibleError as error:
            low = budget
            trials.append(_describe(budget, note=error.what))
            continue
        trained += 1
        if is_first:
            epochs = max(1, round(applied.steps[-1]["epochs"]))
        cost = asked.pricing.price(applied.model, budgets={kind: budget})[kind]
        drop = trainer.evaluator.drop(before=trainer.reference, after=applied.accuracy)
        is_good = drop <= max_drop
        if is_good:
            good.insert(0, Good(budget=min(budget, cost), applied=applied))
        else:
            low = budget
        taken = applied.steps[-1]["epochs"]
        trials.append(_describe(budget, cost=cost, drop=drop, epochs=taken, is_good=is_good))
        trainer.progress.note(f"{BUDGETS[kind].say(cost)} {say_drop(drop)}; at most {max_drop:g} may be lost")
    return Minimized(good=tuple(good), trials=tuple(trials))


class Numbered:
    """Checkpoints of one trial among several: its stages have its number in their names."""

    def __init__(self, work: Checkpoints, number: int) -> None:
        """Keep them where `work` does."""
        self._work, self._prefix = work, f"trial-{number}-"

    def load(self, stage: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder and state of a finished stage, or None."""
        return self._work.load(self._prefix + stage)

    def finish(self, stage: str, state: dict[str, Any]) -> AbstractContextManager[Path]:
        """A folder to put the stage's files in; the stage is finished when the block ends."""
        return self._work.finish(self._prefix + stage, state)


def _narrow(asked: Asked, smallest: Applied, *, kind: str, budget: float, trainer: Trainer) -> Applied:
    """The smallest good model so far, pruned to a budget. Raises InfeasibleError where no plan meets it."""
    is_warm = smallest.model is not asked.start.model
    start = _start_from(smallest, asked) if is_warm else asked.start
    budgets = {**asked.budgets, kind: budget}
    # Whole layers go in the first trial, if they do: each that competes costs training.
    narrower = replace(asked, start=start, budgets=budgets, is_trial=is_warm)
    return carry_out(Choice(epochs=trainer.epochs), narrower, dense_flash_bytes=0.0, trainer=trainer)


def _start_from(smallest: Applied, asked: Asked) -> Start:
    """A model that was pruned before, as where pruning starts."""
    from edgeprune.keras_bridge.model.trace import trace

    graph = trace(smallest.model).graph
    channels = name_channels(graph)
    return Start(
        model=smallest.model,
        graph=graph,
        cost=asked.pricing.price(smallest.model, budgets=asked.start.cost),
        macs=count_macs(Lowering(graph, channels).lower(channels.everything)),
        steps=smallest.steps,
        equivalence=smallest.equivalence,
    )


def _in_half(trainer: Trainer, epochs: int) -> Trainer:
    return replace(trainer, epochs=max(1, epochs // 2), duration=AS_GIVEN)


def _describe(
    budget: float,
    *,
    cost: float | None = None,
    drop: float | None = None,
    epochs: float = 0.0,
    is_good: bool = False,
    note: str = "",
) -> TrialPart:
    return {"budget": budget, "cost": cost, "drop": drop, "epochs": epochs, "good": is_good, "note": note}
