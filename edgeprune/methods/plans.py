"""Plans compete: which whole layers go, and which families of channels give way, as the model recovers best.

How well a model recovers without a branch cannot be read off its weights, gradients or loss, nor off its
accuracy after a few steps: of ResNet-8 the block that is missed most at first is missed least in the end.
What tells is how fast the student comes near the original again. So the model without each branch that would
spare channels much is pruned to the budgets at once, refitted, and fine-tuned for a moment. The nearest of
these then goes on, beside channels alone, and what all of recovery would make of the two is foreseen from how
much the last doubling of their steps has gained.

Then families of channels take turns at giving way: the solver's own plan, less and more even ones, and plans
under scores that favour some families and slight others, are refitted and held against the original without
any training. Between plans of the same layers that tells which ones starve a layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

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
from edgeprune.report.sections.plans import PlanPart

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.distance import Distance
    from edgeprune.keras_bridge.training.train import Recovery, Trained, Tunes
    from edgeprune.keras_bridge.training.trainer import Trainer

ALONE = "channels alone"
TRIAL_SHARE = 0.08
"""Fraction of all recovery steps that trials may take."""
LEAST_TRIAL_STEPS = 16
"""A trial of fewer steps says nothing."""
_LEFT, _LONGER = 2, 4
"""How many plans go on after the first trial, and up to how many times its steps."""
MOST_DOUBLINGS = 4
"""Of training, that are foreseen from what the last one gained."""
LEAST_GAIN = 0.05
"""By what fraction the distance foreseen without a branch must be below that with channels alone."""
EVENNESS = (0.5, 2.0)
"""Other than the usual one of `Limits.evenness`, that plans are drawn with."""
SPREAD = 1.0
"""Standard deviation of the logarithm of what a family's scores are multiplied by."""
LEAST_VARIED, MOST_VARIED = 3, 8
"""Plans of the same layers that are compared, beside the solver's own."""
VARIED_SHARE, MOST_WORK = 0.1, 1.2e12
"""What comparing them may cost: as a fraction of recovery, and in multiply-accumulates."""
PASSES_EACH, PASSES_TRAINED = 4_000, 3
"""Samples that run through a model while a plan is refitted and judged; what training on one counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanChoice:
    """Which plan won.

    Attributes:
        branches: names of the branches that go.
        widths: family → prunable channels that are left, where another plan than the solver's own won.
        steps: optimizer steps that trials took.
        plans: all that were compared, for the report.
        note: a sentence for the user; "" where channels go as the solver says.
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
    count = _count_varied(model, traced, trainer=trainer)
    ways: list[tuple[Branch, ...]] = [()]
    if removable and _share_steps(2, total):
        found = list_worthwhile(
            model, traced, removable, pruner=pruner, training=trainer.training, seed=trainer.seed
        )
        ways += [(branch,) for branch in found]
    steps = _share_steps(len(ways), total)
    ways = ways if steps else [()]
    if len(ways) == 1 and not count:
        return PlanChoice()
    distance = make_distance(trainer)
    opened = [_open_way(model, traced, branches, pruner=pruner, trainer=trainer) for branches in ways]
    way, choice = opened[0], PlanChoice()
    if len(ways) > 1:
        way, choice = _try_ways(opened, first=steps, distance=distance, trainer=trainer)
    if not count:
        return choice
    widths, rows = _vary(way, count=count, distance=distance, trainer=trainer)
    return replace(choice, widths=widths, plans=(*choice.plans, *rows))


def _share_steps(ways: int, total: int) -> int:
    """Steps of the first trial of so many ways; 0 where it would say nothing."""
    first = int(TRIAL_SHARE * total) // (ways + _LEFT * (_LONGER - 1))
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

    def solve(self, *, favours: Sequence[float] = (), evenness: float | None = None) -> Kept:
        """The groups that stay, with the scores of each family multiplied.

        Raises:
            InfeasibleError: no plan meets the budgets.
        """
        scores, limits = self.scores.copy(), self.pruner.limits
        for f, favour in enumerate(favours):
            scores[self.channels.family == f] *= favour
        if evenness is not None:
            limits = replace(limits, evenness=evenness)
        return solve_gently(
            self.traced.graph,
            self.channels,
            scores=scores,
            costs=self.pruner.costs,
            targets=self.pruner.budgets,
            pruner=replace(self.pruner, limits=limits),
        ).kept

    def count_macs(self, kept: Kept) -> int:
        """Of the model with only these groups."""
        return count_macs(Lowering(self.traced.graph, self.channels).lower(kept))

    def carry_out(self, kept: Kept, *, trainer: Trainer, trained: bool) -> keras.Model:
        """A student: these groups of the model, refitted; for training or to be judged as it is."""
        from edgeprune.keras_bridge.model.weights import copy_model

        if kept.all():
            return copy_model(self.model)
        return cut_refitted(
            self.model, self.traced, self.channels, kept=kept, trainer=trainer, trained=trained
        )


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


def _try_ways(
    ways: Sequence[_Way], *, first: int, distance: Distance, trainer: Trainer
) -> tuple[_Way, PlanChoice]:
    """The way from which recovery is foreseen to lead nearest to the original.

    All are tried for `first` steps; channels alone and the best of the others go on for four times as long.
    """
    progress, total = trainer.progress, trainer.plan_recovery().total_steps
    progress.stage("try without whole layers", total=first * (len(ways) + _LEFT * (_LONGER - 1)))
    # At a constant rate: where it falls, every doubling gains more than the next one would.
    recovery = replace(trainer.plan_recovery(), total_steps=_LONGER * first, falls_from=None)
    trials = [_Trial.start(way, recovery=recovery, trainer=trainer) for way in ways]
    for trial in trials:
        trial.run(first, distance=distance, trainer=trainer)
    alone, *others = trials
    others.sort(key=lambda trial: trial.now)
    left = [trial for trial in (alone, *others) if trial.is_feasible][:_LEFT]
    for trial in left:
        trial.run(_LONGER // 2 * first, _LONGER * first, distance=distance, trainer=trainer)
    steps, plans = sum(trial.step for trial in trials), tuple(trial.describe(total) for trial in trials)
    choice = PlanChoice(steps=steps, plans=plans)
    if not left:
        return ways[0], choice
    best = min(left, key=lambda trial: trial.foresee(total) / (1 if trial.way.branches else 1 - LEAST_GAIN))
    choice.plans[trials.index(best)]["taken"] = True
    if best is alone:
        return best.way, choice
    told = f"a distance of {best.foresee(total):.3g} from the original is foreseen, "
    told += f"{alone.foresee(total):.3g} with {ALONE}" if alone.is_feasible else f"{ALONE} miss the budgets"
    names = tuple(branch.name for branch in best.way.branches)
    return best.way, replace(choice, branches=names, note=f"{', '.join(names)}: {told}")


@dataclass(kw_only=True, slots=True, eq=False)
class _Trial:
    """A student of one way, while it is fine-tuned; none where no plan meets the budgets.

    Attributes:
        far: (step, distance) of each look, the first one of the student as it was refitted.
    """

    way: _Way
    macs: int | None = None
    tuner: Tunes | None = None
    trained: Trained
    far: list[tuple[int, float]]
    note: str = ""

    @classmethod
    def start(cls, way: _Way, *, recovery: Recovery, trainer: Trainer) -> _Trial:
        """The way's plan, carried out at once."""
        from edgeprune.keras_bridge.training.own_loop import make_tuner
        from edgeprune.keras_bridge.training.train import Trained

        trained = Trained(step=0, optimizer=[], losses=[])
        try:
            kept = way.solve()
        except InfeasibleError as error:
            return cls(way=way, trained=trained, far=[], note=error.what)
        student = way.carry_out(kept, trainer=trainer, trained=True)
        tuner = make_tuner(student, trainer.teacher, training=trainer.training, recovery=recovery)
        return cls(way=way, macs=way.count_macs(kept), tuner=tuner, trained=trained, far=[])

    @property
    def is_feasible(self) -> bool:
        """Whether the budgets can be met this way."""
        return self.tuner is not None

    @property
    def is_final(self) -> bool:
        """Whether it was one of those that went on."""
        return len(self.far) > 2

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

        Only of those that went on: the first steps say nothing of the pace. It slackens in the end, so that
        no more than `MOST_DOUBLINGS` count.
        """
        if not self.is_final:
            return math.inf
        (_, before), (step, now) = self.far[-2:]
        doublings = min(math.log2(total / step), MOST_DOUBLINGS)
        return now * math.pow(min(now / max(before, 1e-12), 1.0), doublings)

    def describe(self, total: int) -> PlanPart:
        """As the report has it."""
        if not self.far:
            return {**_describe(self.way.name), "note": self.note}
        return {
            **_describe(self.way.name),
            "macs": self.macs,
            "untrained": self.far[0][1],
            "steps": self.step,
            "trained": self.now,
            "foreseen": self.foresee(total) if self.is_final else None,
        }


def _count_varied(model: keras.Model, traced: Traced, *, trainer: Trainer) -> int:
    """How many varied plans are worth what judging them costs beside recovery."""
    channels = name_channels(traced.graph)
    macs = count_macs(Lowering(traced.graph, channels).lower(channels.everything))
    recovery = trainer.plan_recovery()
    trained = PASSES_TRAINED * recovery.total_steps * recovery.batch_size
    count = min(VARIED_SHARE * trained, MOST_WORK / max(macs, 1)) // PASSES_EACH
    return min(int(count), MOST_VARIED) if count >= LEAST_VARIED else 0


def _vary(
    way: _Way, *, count: int, distance: Distance, trainer: Trainer
) -> tuple[Mapping[str, int], list[PlanPart]]:
    """The widths of the best plan, none if that is the solver's own, and rows of all that were compared."""
    try:
        plans = dict(enumerate(_draw_plans(way, count=count, seed=trainer.seed)))
    except InfeasibleError:
        return {}, []
    if len(plans) == 1:
        return {}, []
    trainer.progress.stage("compare widths", total=len(plans))
    far = {}
    for number, kept in plans.items():
        far[number] = distance.of(way.carry_out(kept, trainer=trainer, trained=False))
        trainer.progress.advance()
    best = min(far, key=lambda number: far[number])
    rows: list[PlanPart] = [
        {
            **_describe(f"{way.name}, {'varied ' + str(number) if number else 'as scored'}"),
            "macs": way.count_macs(kept),
            "untrained": far[number],
            "taken": number == best,
        }
        for number, kept in plans.items()
    ]
    return (count_kept(way.channels, plans[best]) if best else {}), rows


def _draw_plans(way: _Way, *, count: int, seed: int) -> Iterator[Kept]:
    """The solver's own plan, then others of other widths.

    Raises:
        InfeasibleError: no plan meets the budgets.
    """
    rng = np.random.default_rng([seed, 17])
    families = len(way.channels.family_names)
    draws: list[dict[str, Any]] = [{}, *({"evenness": evenness} for evenness in EVENNESS)]
    draws += [{"favours": np.exp(SPREAD * rng.standard_normal(families))} for _ in range(2 * count)]
    seen: list[Mapping[str, int]] = []
    for draw in draws:
        kept = way.solve(**draw)
        widths = count_kept(way.channels, kept)
        if widths not in seen:
            seen.append(widths)
            yield kept
        if len(seen) > count:
            return


def _describe(name: str) -> PlanPart:
    return {
        "name": name,
        "macs": None,
        "untrained": None,
        "steps": 0,
        "trained": None,
        "foreseen": None,
        "taken": False,
        "note": "",
    }
