"""Plans compete: which whole layers go, and how evenly channels give way, as the model recovers best.

How well a model recovers from a plan cannot be read off its weights, gradients or loss, nor off its outputs
before training or after a few steps: of ResNet-8 the block that is missed most at first is missed least in
the end, and of a keyword spotter at a third of its latency the widths that least squares bring nearest to the
original end farthest from it. What tells is how fast the student comes near the original again. So plans of
less and more even widths, and the model without each branch that would spare channels much, are carried out
at once and fine-tuned for a moment. The best of these go on, and what all of recovery would make of them is
foreseen from how much the last doubling of their steps has gained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.surgery import Kept
from edgeprune.methods.channel_step import PROBE_SAMPLES, Pruner, cut_refitted, score_channels, solve_gently
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
TRIAL_SHARE = 0.1
"""Fraction of all recovery steps that trials may take."""
LEAST_TRIAL_STEPS = 16
"""A trial of fewer steps says nothing."""
_LEFT, _LONGER = 2, 4
"""How many plans go on after the first trial, and up to how many times its steps."""
MOST_DOUBLINGS = 4
"""Of training, that are foreseen from what the last one gained."""
LEAST_GAIN = 0.05
"""By what fraction the distance foreseen without a branch must be below that with channels alone."""
EVENNESS = {"": Limits().evenness, ", more even": 2.0, ", less even": 0.5}
"""What plans of channels alone are called → their `Limits.evenness`, the usual one first."""


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
        trainer: of the whole build; trials take at most `TRIAL_SHARE` of its steps.
    """
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.distance import make_distance

    traced, total = trace(model), trainer.plan_recovery().total_steps
    if not _share_steps(2, total):
        return PlanChoice()
    ways: list[tuple[Branch, ...]] = [()]
    if removable:
        found = list_worthwhile(
            model, traced, removable, pruner=pruner, training=trainer.training, seed=trainer.seed
        )
        ways += [(branch,) for branch in found]
    opened = [_open_way(model, traced, branches, pruner=pruner, trainer=trainer) for branches in ways]
    plans = [plan for way in opened for plan in _draw_plans(way)]
    steps = _share_steps(len(plans), total)
    if len(plans) == 1 or not steps:
        return PlanChoice()
    return _compare(plans, first=steps, distance=make_distance(trainer), trainer=trainer)


def _share_steps(plans: int, total: int) -> int:
    """Steps of the first trial of so many plans; 0 where it would say nothing."""
    first = int(TRIAL_SHARE * total) // (plans + _LEFT * (_LONGER - 1))
    return first if first >= LEAST_TRIAL_STEPS else 0


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
        """A student: these groups of the model, refitted."""
        from edgeprune.keras_bridge.model.weights import copy_model

        if kept.all():
            return copy_model(self.model)
        return cut_refitted(self.model, self.traced, self.channels, kept=kept, trainer=trainer, trained=True)


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
    """One way and the groups that stay, or why none can.

    Attributes:
        is_own: whether the solver would come to these widths by itself.
    """

    name: str
    way: _Way
    kept: Kept | None
    is_own: bool
    refusal: str = ""


def _draw_plans(way: _Way) -> Iterator[_Plan]:
    """The solver's own; with all layers also those of other evenness, where widths then are others."""
    seen: list[Mapping[str, int]] = []
    for name, evenness in list(EVENNESS.items())[: 1 if way.branches else None]:
        try:
            kept = way.solve(evenness)
        except InfeasibleError as error:
            if not seen:
                yield _Plan(name=way.name, way=way, kept=None, is_own=True, refusal=error.what)
            return
        widths = count_kept(way.channels, kept)
        if widths not in seen:
            yield _Plan(name=way.name + name, way=way, kept=kept, is_own=not seen)
            seen.append(widths)


def _compare(plans: Sequence[_Plan], *, first: int, distance: Distance, trainer: Trainer) -> PlanChoice:
    """The plan from which recovery is foreseen to lead nearest to the original.

    All are tried for `first` steps; the most promising one of channels alone and the nearest of the others go
    on for four times as long, or two of channels alone where there are no others.
    """
    progress, total = trainer.progress, trainer.plan_recovery().total_steps
    progress.stage("try plans", total=first * (len(plans) + _LEFT * (_LONGER - 1)))
    # At a constant rate: where it falls, every doubling gains more than the next one would.
    recovery = replace(trainer.plan_recovery(), total_steps=_LONGER * first, falls_from=None)
    trials = [_Trial.start(plan, recovery=recovery, trainer=trainer) for plan in plans]
    for trial in trials:
        trial.run(first // 2, first, distance=distance, trainer=trainer)
    able = [trial for trial in trials if trial.tuner is not None]
    alone = sorted((t for t in able if not t.plan.way.branches), key=lambda trial: trial.foresee(total))
    others = sorted((t for t in able if t.plan.way.branches), key=lambda trial: trial.now)
    left = [*alone[:1], *others, *alone[1:]][:_LEFT]
    for trial in left:
        trial.run(_LONGER // 2 * first, _LONGER * first, distance=distance, trainer=trainer)
    rows = tuple(trial.describe(total, is_final=trial in left) for trial in trials)
    choice = PlanChoice(steps=sum(trial.step for trial in trials), plans=rows)
    if not left:
        return choice

    def expect(trial: _Trial) -> float:
        return trial.foresee(total) / (1 if trial.plan.way.branches else 1 - LEAST_GAIN)

    best = min(left, key=expect)
    rows[trials.index(best)]["taken"] = True
    plan = best.plan
    if not plan.is_own:
        assert plan.kept is not None  # it was trained
        choice = replace(choice, widths=count_kept(plan.way.channels, plan.kept))
    if not plan.way.branches:
        return choice
    told = f"a distance of {best.foresee(total):.3g} from the original is foreseen, "
    told += f"{alone[0].foresee(total):.3g} with {ALONE}" if alone else f"{ALONE} miss the budgets"
    names = tuple(branch.name for branch in plan.way.branches)
    return replace(choice, branches=names, note=f"{', '.join(names)}: {told}")


@dataclass(kw_only=True, slots=True, eq=False)
class _Trial:
    """A student of one plan, while it is fine-tuned; none where no plan meets the budgets.

    Attributes:
        far: (step, distance) of each look, the first one of the student as it was cut.
    """

    plan: _Plan
    tuner: Tunes | None = None
    trained: Trained
    far: list[tuple[int, float]] = field(default_factory=list)

    @classmethod
    def start(cls, plan: _Plan, *, recovery: Recovery, trainer: Trainer) -> _Trial:
        """The plan, carried out at once."""
        from edgeprune.keras_bridge.training.own_loop import make_tuner
        from edgeprune.keras_bridge.training.train import Trained

        trained = Trained(step=0, optimizer=[], losses=[])
        if plan.kept is None:
            return cls(plan=plan, trained=trained)
        student = plan.way.carry_out(plan.kept, trainer=trainer)
        tuner = make_tuner(student, trainer.teacher, training=trainer.training, recovery=recovery)
        return cls(plan=plan, tuner=tuner, trained=trained)

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

        The pace slackens in the end, so that no more than `MOST_DOUBLINGS` count.
        """
        if len(self.far) <= 2:
            return math.inf
        (_, before), (step, now) = self.far[-2:]
        doublings = min(math.log2(total / step), MOST_DOUBLINGS)
        return now * math.pow(min(now / max(before, 1e-12), 1.0), doublings)

    def describe(self, total: int, *, is_final: bool) -> PlanPart:
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
            row["foreseen"] = self.foresee(total) if is_final else None
        return row
