"""Plans compete: which whole layers go, and how evenly channels give way, as the model recovers best.

How well a model recovers from a plan cannot be read off its weights, gradients or loss, nor off its outputs
before training or after a few steps: of ResNet-8 the block that is missed most at first is missed least in
the end, and of a keyword spotter at a third of its latency the widths that least squares bring nearest to the
original end farthest from it. What tells is how fast the student comes near the original again. So the
model without each branch, or several, that would spare channels much is pruned to the budgets at once and
fine-tuned for a moment. The nearest of these then goes on, beside channels alone, and what all of recovery
would make of the two is foreseen from how much the last doubling of their steps has gained. Then a plan of
the winner's layers with more even widths is compared in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.surgery import Kept
from edgeprune.methods.channel_step import (
    PROBE_SAMPLES,
    Pruner,
    is_feasible,
    score_channels,
    solve_gently,
)
from edgeprune.methods.layers import list_worthwhile, take_branches
from edgeprune.prune.criteria import Scores
from edgeprune.prune.families import count_kept
from edgeprune.prune.limits import Limits
from edgeprune.report.sections.plans import PlanPart

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.distance import Distance
    from edgeprune.keras_bridge.training.train import Recovery, Trained, Tunes
    from edgeprune.keras_bridge.training.trainer import Trainer

ALONE = "channels alone"
MISSES = f"{ALONE} miss the budgets"
TRIAL_SHARE, WIDTHS_SHARE = 0.06, 0.05
"""Fractions of all recovery steps that trials without whole layers, and of other widths, may take. With 0.08
for the first the same plans were chosen, and with 0.03 for the second another one for one seed of six."""
LEAST_TRIAL_STEPS = 16
"""A trial of fewer says nothing; without whole layers, which are missed at first, it takes twice as many."""
SURE_STEPS, _SHORT = 40, 3
"""First trials of so many steps tell plans apart, and may take three times the share of a short build: in 4
epochs of ResNet-8 at half its latency, one seed of five was wrong with 20, and none with 40."""
_LEFT, _LONGER = 2, 4
"""How many plans go on after the first trial, and up to how many times its steps."""
BEHIND = 1.1
"""How many times as far from the original as with channels alone a model without layers may be after the
first trial, if it is to go on. Of ResNet-8, a DS-CNN and MobileNetV1, what won in the end was 0.8 to 1.05
times as far then, and what lost 1.13 times and more."""
MOST_DOUBLINGS, DOUBLINGS_OF_LAYERS = 4, 1
"""Of training, that are foreseen from what the last one gained: of other widths, and without whole layers.
What has lost a layer gains more than the others at first, and not for as long: with four, ResNet-8 at 0.75 of
its latency lost a branch, and 0.6 points more than with channels alone."""
LENIENCE = 0.05
"""How much farther from the original, as a fraction, a model without a branch may be foreseen to end."""
EVENNESS = {"": Limits().evenness, ", more even": 2.0}
"""What plans of the same layers are called → their `Limits.evenness`, the usual one first. Less even ones
come nearer to the original at first, as they keep its last layers, and end farther from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanChoice:
    """Which plan won.

    Attributes:
        branches: names of the branches that go.
        widths: family → prunable channels that are left, where another plan than the solver's own won.
        steps: optimizer steps that trials took.
        plans: all that were compared, for the report.
        note: a sentence for the user; "" where no layers go.
    """

    branches: tuple[str, ...] = ()
    widths: Mapping[str, int] = field(default_factory=dict)
    steps: int = 0
    plans: tuple[PlanPart, ...] = ()
    note: str = ""


def choose_plan(
    model: keras.Model, removable: Sequence[Branch], *, pruner: Pruner, trainer: Trainer
) -> PlanChoice:
    """The plan from which the model is foreseen to recover best.

    Args:
        model: what to prune; not changed.
        removable: the branches that may go.
        pruner: how channels are ranked, and the budgets.
        trainer: of the whole build; trials take at most `TRIAL_SHARE` of its steps, three times that where
            it is short, and `WIDTHS_SHARE`.
    """
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.distance import make_distance

    traced, total = trace(model), trainer.plan_recovery().total_steps
    tries = _share_steps(2, total) > 0
    if not tries and is_feasible(traced.graph, pruner=pruner):
        removable = ()
    if not removable and not _share_widths(2, total):
        return PlanChoice()
    ways = list_worthwhile(
        model, traced, removable, pruner=pruner, training=trainer.training, seed=trainer.seed
    )
    while len(ways) > 1 and not _share_steps(1 + len(ways), total):
        ways = ways[:-1]
    alone, *opened = (
        _open_way(model, traced, branches, pruner=pruner, trainer=trainer) for branches in ((), *ways)
    )
    distance = make_distance(trainer)
    way, choice = alone, PlanChoice()
    if opened and tries:
        first = _share_steps(1 + len(opened), total)
        way, choice = _try_ways([alone, *opened], first=first, distance=distance, trainer=trainer)
    elif opened:
        way = opened[0]
        choice = way.take(choice, why=MISSES)
    widths = _try_widths(way, distance=distance, trainer=trainer)
    return replace(
        widths,
        branches=choice.branches,
        steps=choice.steps + widths.steps,
        plans=choice.plans + widths.plans,
        note=choice.note,
    )


def _share_steps(ways: int, total: int) -> int:
    """Steps of the first trial of so many ways; 0 where it would say nothing."""
    usual = int(TRIAL_SHARE * total) // (ways + _LEFT * (_LONGER - 1))
    steps = max(usual, min(_SHORT * usual, SURE_STEPS))
    return steps if steps >= 2 * LEAST_TRIAL_STEPS else 0


def _share_widths(plans: int, total: int) -> int:
    """Steps of the trial of each of so many widths; 0 where it would say nothing."""
    steps = int(WIDTHS_SHARE * total) // plans
    return steps if steps >= LEAST_TRIAL_STEPS else 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Way:
    """The model without some branches, and how its channels are ranked."""

    branches: tuple[Branch, ...]
    model: keras.Model
    traced: Traced
    channels: ChannelMap
    pruner: Pruner
    scores: Scores

    @property
    def name(self) -> str:
        """In the report."""
        return ", ".join(branch.name for branch in self.branches) or ALONE

    def take(self, choice: PlanChoice, *, why: str) -> PlanChoice:
        """The choice with this way taken."""
        names = tuple(branch.name for branch in self.branches)
        return replace(choice, branches=names, note=f"{self.name}: {why}")

    def solve(self, evenness: float) -> Kept:
        """The groups that stay.

        Raises:
            InfeasibleError: no plan meets the budgets.
        """
        limits = replace(self.pruner.limits, evenness=evenness)
        return solve_gently(
            self.traced.graph,
            self.channels,
            scores=self.scores,
            costs=self.pruner.costs,
            targets=self.pruner.budgets,
            pruner=replace(self.pruner, limits=limits),
        ).kept

    def count_macs(self, kept: Kept) -> int:
        """Of the model with only these groups."""
        return count_macs(Lowering(self.traced.graph, self.channels).lower(kept))

    def carry_out(self, kept: Kept, *, trainer: Trainer) -> keras.Model:
        """A student: these groups of the model."""
        from edgeprune.keras_bridge.model.rebuild import compact
        from edgeprune.keras_bridge.model.weights import copy_model

        if kept.all():
            return copy_model(self.model)
        few = tuple(x[:PROBE_SAMPLES] for x in trainer.evaluator.inputs)
        return compact(self.model, self.traced, channels=self.channels, kept=kept, probe=few).model


def _open_way(
    model: keras.Model, traced: Traced, branches: tuple[Branch, ...], *, pruner: Pruner, trainer: Trainer
) -> _Way:
    from edgeprune.keras_bridge.model.rebuild import drop_branches
    from edgeprune.keras_bridge.model.trace import trace

    pruner = take_branches(model, pruner, [branch.name for branch in branches])
    if branches:
        few = tuple(x[:PROBE_SAMPLES] for x in trainer.evaluator.inputs)
        model = drop_branches(model, traced, branches=branches, probe=few).model
        traced = trace(model)
    channels = keep_layers(name_channels(traced.graph), pruner.limits.keep)
    scores = score_channels(
        model, traced, channels, pruner=pruner, training=trainer.training, seed=trainer.seed
    )
    return _Way(
        branches=branches, model=model, traced=traced, channels=channels, pruner=pruner, scores=scores
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Plan:
    """One way and the groups that stay, or why none can."""

    name: str
    way: _Way
    kept: Kept | None
    refusal: str = ""

    @property
    def widths(self) -> Mapping[str, int]:
        """Family → prunable channels that are left."""
        return {} if self.kept is None else count_kept(self.way.channels, self.kept)


def _draw_plan(way: _Way) -> _Plan:
    """As the solver has it."""
    try:
        return _Plan(name=way.name, way=way, kept=way.solve(EVENNESS[""]))
    except InfeasibleError as error:
        return _Plan(name=way.name, way=way, kept=None, refusal=error.what)


def _draw_widths(way: _Way) -> list[_Plan]:
    """The solver's own plan first, then those of other evenness and other widths; none where none fits."""
    plans: list[_Plan] = []
    for name, evenness in EVENNESS.items():
        try:
            plan = _Plan(name=f"{way.name}{name or ', as scored'}", way=way, kept=way.solve(evenness))
        except InfeasibleError:
            return plans
        if all(plan.widths != other.widths for other in plans):
            plans.append(plan)
    return plans


def _try_ways(
    ways: Sequence[_Way], *, first: int, distance: Distance, trainer: Trainer
) -> tuple[_Way, PlanChoice]:
    """The way from which recovery is foreseen to lead nearest to the original.

    All are tried for `first` steps; channels alone and the best of the others go on for four times as long.
    """
    progress, total = trainer.progress, trainer.plan_recovery().total_steps
    progress.stage("try without whole layers", total=first * (len(ways) + _LEFT * (_LONGER - 1)))
    plans = [_draw_plan(way) for way in ways]
    trials = _start(plans, steps=_LONGER * first, doublings=DOUBLINGS_OF_LAYERS, trainer=trainer)
    for trial in trials:
        trial.run(first, distance=distance, trainer=trainer)
    alone, *others = trials
    others.sort(key=lambda trial: trial.now)
    left = [trial for trial in (alone, *others) if trial.tuner is not None][:_LEFT]
    if others[0].now > BEHIND * alone.now:
        left = [alone]  # which then needs no more steps
    for trial in left if len(left) > 1 else ():
        trial.run(_LONGER // 2 * first, _LONGER * first, distance=distance, trainer=trainer)
    choice = _describe(trials, total)
    if not left:
        return ways[0], choice
    best = min(left, key=lambda trial: trial.foresee(total) * (1 - LENIENCE if trial.branches else 1))
    told = f"without {best.plan.name}" if best.branches else best.plan.name
    progress.advance(0, detail=told)
    choice.plans[trials.index(best)]["taken"] = True
    if best is alone:
        return best.plan.way, choice
    why = MISSES
    if alone in left:
        it, other = (f"{trial.foresee(total):.3g}" for trial in (best, alone))
        why = f"recovery is expected to end {it} from the original's outputs, {other} with {ALONE}"
    return best.plan.way, best.plan.way.take(choice, why=why)


def _try_widths(way: _Way, *, distance: Distance, trainer: Trainer) -> PlanChoice:
    """The widths, with these layers, from which recovery is foreseen to lead nearest to the original."""
    total, plans = trainer.plan_recovery().total_steps, _draw_widths(way)
    if len(plans) < 2 or not (steps := _share_widths(len(plans), total)):
        return PlanChoice()
    trainer.progress.stage("try other widths", total=steps * len(plans))
    trials = _start(plans, steps=steps, doublings=MOST_DOUBLINGS, trainer=trainer)
    for trial in trials:
        trial.run(steps // 2, steps, distance=distance, trainer=trainer)
    best = min(trials, key=lambda trial: trial.foresee(total))
    trainer.progress.advance(0, detail=best.plan.name)
    choice = _describe(trials, total)
    choice.plans[trials.index(best)]["taken"] = True
    return choice if best is trials[0] else replace(choice, widths=best.plan.widths)


def _start(plans: Sequence[_Plan], *, steps: int, doublings: int, trainer: Trainer) -> list[_Trial]:
    # At a constant rate: where it falls, every doubling gains more than the next one would.
    recovery = replace(trainer.plan_recovery(), total_steps=steps, falls_from=None)
    return [_Trial.start(plan, doublings=doublings, recovery=recovery, trainer=trainer) for plan in plans]


def _describe(trials: Sequence[_Trial], total: int) -> PlanChoice:
    """What was tried, nothing chosen."""
    return PlanChoice(
        steps=sum(trial.step for trial in trials), plans=tuple(trial.describe(total) for trial in trials)
    )


@dataclass(kw_only=True, slots=True, eq=False)
class _Trial:
    """A student of one plan, while it is fine-tuned; none where no plan meets the budgets.

    Attributes:
        doublings: how many are foreseen at most.
        far: (step, distance) of each look, the first one of the student as it was cut.
    """

    plan: _Plan
    doublings: int
    tuner: Tunes | None = None
    trained: Trained
    far: list[tuple[int, float]] = field(default_factory=list)

    @classmethod
    def start(cls, plan: _Plan, *, doublings: int, recovery: Recovery, trainer: Trainer) -> _Trial:
        """The plan, carried out at once."""
        from edgeprune.keras_bridge.training.own_loop import make_tuner
        from edgeprune.keras_bridge.training.train import Trained

        trained = Trained(step=0, optimizer=[], losses=[])
        if plan.kept is None:
            return cls(plan=plan, doublings=doublings, trained=trained)
        student = plan.way.carry_out(plan.kept, trainer=trainer)
        tuner = make_tuner(student, trainer.teacher, training=trainer.training, recovery=recovery)
        return cls(plan=plan, doublings=doublings, tuner=tuner, trained=trained)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """What goes as a whole."""
        return self.plan.way.branches

    @property
    def step(self) -> int:
        """Optimizer steps so far."""
        return self.trained.step

    @property
    def now(self) -> float:
        """How far the student was when it was last looked at."""
        return self.far[-1][1] if self.far else math.inf

    def run(self, *looks: int, distance: Distance, trainer: Trainer) -> None:
        """Fine-tunes up to each of these steps, and looks how far the student then is."""
        if self.tuner is None:
            return
        if not self.far:
            self.far.append((0, distance.of(self.tuner.student)))
        for step in looks:
            advance = trainer.progress.advance
            self.trained = self.tuner.tune(step - self.step, start=self.trained, advance=advance)
            self.far.append((step, distance.of(self.tuner.student)))

    def foresee(self, total: int) -> float:
        """How far it would be after all steps, if each doubling gained as much as the last one did.

        Only where it was looked at twice: the first steps say nothing of the pace. It slackens in the end, so
        that no more than `doublings` count.
        """
        if len(self.far) <= 2:
            return math.inf
        (_, before), (step, now) = self.far[-2:]
        doublings = min(math.log2(total / step), self.doublings)
        return now * math.pow(min(now / max(before, 1e-12), 1.0), doublings)

    def describe(self, total: int) -> PlanPart:
        """As the report has it."""
        row: PlanPart = {
            "name": self.plan.name,
            "macs": None,
            "untrained": None,
            "steps": self.step,
            "trained": None,
            "foreseen": None,
            "taken": False,
            "note": self.plan.refusal,
        }
        if self.plan.kept is not None:
            row["macs"] = self.plan.way.count_macs(self.plan.kept)
            row["untrained"], row["trained"] = self.far[0][1], self.now
            row["foreseen"] = self.foresee(total) if len(self.far) > 2 else None
        return row
