"""Removing whole layers: which ones, by short trials of recovery, and the step that does it.

How well a model recovers without a branch cannot be read off its weights, gradients or loss. On ResNet-8 the
branch whose loss rises least is missed most once the rest has been fine-tuned. So the branches
that would spare the channels much are removed on trial, the rest is pruned to the budgets, fine-tuned for a
moment and compared with channels alone on validation data. Trials are short-sighted, they favour what
disturbs least: of the branches that do better than channels alone, the one goes that spares channels most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch, bypass, find_branches, unfolded_name
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import find_layers, keep_layers
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.measuring.records import Worth
from edgeprune.methods.channel_step import PROBE_SAMPLES, PrunedStep, Pruner, score_channels, solve_gently
from edgeprune.methods.method import METHODS, Applied, Asked, Phase
from edgeprune.methods.repairing import refit_cut
from edgeprune.progress import Progress
from edgeprune.prune.families import family_widths
from edgeprune.prune.layers import importance_lost
from edgeprune.prune.limits import Limits

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.train import Recovery, Trained, Training, Tunes
    from edgeprune.keras_bridge.training.trainer import Trainer

TRIAL_SHARE = 0.09
"""Fraction of all recovery steps that trials may take."""
MOST_CANDIDATES = 8
LEAST_TRIAL_STEPS = 24
"""A trial of fewer steps says nothing."""
LEAST_RELIEF = 0.25
"""How much less importance the channels must lose, as a fraction, for a branch to be worth a trial."""
LEAST_GAIN = 0.01
"""How much better than channels alone, as in `Task.drop`, a branch's removal must do in its trial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerChoice:
    """What the trials found.

    Attributes:
        branches: names of the branches to remove.
        steps: optimizer steps that the trials took.
        note: a sentence for the report.
    """

    branches: tuple[str, ...] = ()
    steps: int = 0
    note: str = ""


def choose_layers(
    model: keras.Model, candidates: Sequence[Branch], *, pruner: Pruner, trainer: Trainer
) -> LayerChoice:
    """The branches without which the model recovers better than if only channels went.

    Args:
        model: what to prune; not changed.
        candidates: the branches that may go.
        pruner: how channels are ranked, and the budgets.
        trainer: of the whole build; the trials take `TRIAL_SHARE` of its steps.
    """
    from edgeprune.keras_bridge.model.trace import trace

    training, evaluator, progress = trainer.training, trainer.evaluator, trainer.progress
    recovery, traced = trainer.plan_recovery(), trace(model)
    candidates = _list_worthwhile(
        model, traced, candidates, pruner=pruner, training=training, seed=recovery.seed
    )
    budget = int(TRIAL_SHARE * recovery.total_steps)
    first, second = budget // 2 // (len(candidates) + 1), budget // 4
    if not candidates or first < LEAST_TRIAL_STEPS:
        return LayerChoice()
    short = replace(recovery, total_steps=first + second)
    progress.stage("try without whole layers", total=budget)
    trials = [
        _start_trial(
            model, traced, branches, pruner=pruner, training=training, evaluator=evaluator, recovery=short
        )
        for branches in ((), *((branch,) for branch in candidates))
    ]
    alone, *others = trials
    for trial in trials:
        trial.run(first, evaluator=evaluator, progress=progress)
    better = [trial for trial in others if trial.beats(alone, evaluator)]
    if better:
        for trial in (alone, better[0]):
            trial.run(second, evaluator=evaluator, progress=progress)
    steps = sum(trial.trained.step for trial in trials)
    if not better or not better[0].beats(alone, evaluator):
        return LayerChoice(steps=steps)
    names = tuple(branch.name for branch in better[0].branches)
    return LayerChoice(
        branches=names,
        steps=steps,
        note=f"{', '.join(names)}: validation {evaluator.task.metric} {better[0].score:.4f} after a trial, "
        f"against {alone.score:.4f} with channels alone",
    )


def name_branches(graph: LayerGraph, names: Sequence[str]) -> tuple[Branch, ...]:
    """The branches of these names."""
    return tuple(branch for branch in find_branches(graph) if branch.name in names)


def take_branches(model: keras.Model, pruner: Pruner, names: Sequence[str]) -> Pruner:
    """The pruner that first removes the branches of these names; the same one where there are none."""
    from edgeprune.keras_bridge.model.trace import trace

    if not names:
        return pruner
    graph = trace(model).graph
    branches = name_branches(graph, names)
    widths = family_widths(name_channels(bypass(graph, branches)))
    return replace(
        pruner,
        branches=branches,
        widths={unfolded_name(name): width for name, width in widths.items()},
    )


def layer_step(model: keras.Model, *, pruner: Pruner, probe: tuple[Array, ...]) -> PrunedStep:
    """The model without the pruner's branches, proven and measured.

    Raises:
        InfeasibleError: it differs from the model in which they are skipped.
    """
    from edgeprune.keras_bridge.model.rebuild import drop_branches
    from edgeprune.keras_bridge.model.trace import trace

    few = tuple(x[:PROBE_SAMPLES] for x in probe)
    compacted = drop_branches(model, trace(model), branches=pruner.branches, probe=few)
    channels = name_channels(compacted.graph)
    macs = count_macs(Lowering(compacted.graph, channels).lower(channels.everything))
    return PrunedStep(compacted=compacted, cost=pruner.measure(compacted.model), macs=macs)


def find_removable(model: keras.Model, *, limits: Limits) -> tuple[Branch, ...]:
    """The branches that may go: none with a layer that is to be kept."""
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = {name for p in limits.keep for name in find_layers(channels, p, asked_by=f"--keep {p}")}
    kept |= {floor.layer for floor in limits.floors}
    if traced.nested and kept:
        return ()  # without layers a nested model is unfolded, and patterns would miss its layers' names
    return tuple(branch for branch in find_branches(traced.graph) if kept.isdisjoint(branch.layers))


def _list_worthwhile(
    model: keras.Model,
    traced: Traced,
    branches: Sequence[Branch],
    *,
    pruner: Pruner,
    training: Training,
    seed: int,
) -> tuple[Branch, ...]:
    """The branches worth a trial, those first that spare the channels most."""
    if not branches:
        return ()
    limits = pruner.limits
    channels = keep_layers(name_channels(traced.graph), limits.keep)
    scores = score_channels(model, traced, channels, pruner=pruner, training=training, seed=seed)

    def lose(*gone: Branch) -> float:
        return importance_lost(
            traced.graph, gone, scores=scores, costs=pruner.costs, budgets=pruner.budgets, limits=limits
        )

    most = (1 - LEAST_RELIEF) * lose()
    found = sorted(((lose(branch), i) for i, branch in enumerate(branches)))
    return tuple(branches[i] for lost, i in found if lost <= most and lost < math.inf)[:MOST_CANDIDATES]


@dataclass(kw_only=True, slots=True, eq=False)
class _Trial:
    """A model without some branches, pruned to the budgets, while it is fine-tuned.

    Where even that misses the budgets there is no tuner, and no score.
    """

    branches: tuple[Branch, ...]
    training: Training
    trained: Trained
    tuner: Tunes | None = None
    score: float = math.nan

    def run(self, steps: int, *, evaluator: Evaluator, progress: Progress) -> None:
        """Fine-tunes some more and scores the model, with BatchNorm statistics that suit it."""
        from edgeprune.keras_bridge.training.evaluation import score_settled

        if self.tuner is not None:
            self.trained = self.tuner.tune(steps, start=self.trained, advance=progress.advance)
            self.score = score_settled(self.tuner.student, evaluator, source=self.training.source, seed=0)

    def beats(self, other: _Trial, evaluator: Evaluator) -> bool:
        """Whether this one has a score, and the other has none or one that is worse by `LEAST_GAIN`."""
        if self.tuner is None or other.tuner is None:
            return other.tuner is None and self.tuner is not None
        return evaluator.drop(before=other.score, after=self.score) <= -LEAST_GAIN


def _start_trial(
    model: keras.Model,
    traced: Traced,
    branches: Sequence[Branch],
    *,
    pruner: Pruner,
    training: Training,
    evaluator: Evaluator,
    recovery: Recovery,
) -> _Trial:
    """The model without the branches and as many channels as the budgets ask."""
    from edgeprune.keras_bridge.model.rebuild import compact, drop_branches
    from edgeprune.keras_bridge.model.repair import Cut
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.model.weights import copy_model
    from edgeprune.keras_bridge.training.own_loop import make_tuner
    from edgeprune.keras_bridge.training.train import Trained

    unfinished = _Trial(
        branches=tuple(branches),
        training=training,
        trained=Trained(step=0, optimizer=[], losses=[]),
    )
    few = tuple(x[:PROBE_SAMPLES] for x in evaluator.inputs)
    pruner = take_branches(model, pruner, [branch.name for branch in branches])
    smaller = model
    if branches:
        smaller = drop_branches(model, traced, branches=branches, probe=few).model
    again = trace(smaller)
    channels = keep_layers(name_channels(again.graph), pruner.limits.keep)
    scores = score_channels(smaller, again, channels, pruner=pruner, training=training, seed=recovery.seed)
    try:
        solution = solve_gently(
            again.graph, channels, scores=scores, costs=pruner.costs, targets=pruner.budgets, pruner=pruner
        )
    except InfeasibleError:
        return unfinished
    if solution.kept.all():
        student = copy_model(smaller)
    else:
        compacted = compact(smaller, again, channels=channels, kept=solution.kept, probe=few).model
        cut = Cut(smaller=compacted, original=smaller, traced=again, channels=channels, kept=solution.kept)
        student = refit_cut(cut, evaluator=evaluator, source=training.source, seed=recovery.seed).model
    return replace(unfinished, tuner=make_tuner(student, model, training=training, recovery=recovery))


@dataclass(frozen=True, kw_only=True, slots=True)
class WithoutLayers:
    """Branches that go as a whole.

    Attributes:
        branches: their names.
    """

    branches: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the method."""
        return "layers"

    @property
    def flag(self) -> str:
        """The option that allows it."""
        return "--whole-layers"

    def describe(self) -> str:
        """In a table."""
        return f"without {', '.join(self.branches)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayersMethod:
    """Whole residual branches, and layers whose output has the shape of their input."""

    name: str = "layers"
    title: str = "remove whole layers"
    phase: Phase = "structure"
    setting: type[WithoutLayers] = WithoutLayers

    def worth(self, profile: Profile, *, setting: WithoutLayers | None = None, scheme: str = "int8") -> Worth:
        """Everything, everywhere."""
        return Worth(flash=True, latency=True, reason="fewer layers take less flash, RAM and time")

    def check(self, setting: WithoutLayers) -> None:
        """Names are looked for in the model."""

    def settings(self, asked: Asked) -> Sequence[WithoutLayers]:
        """One branch each."""
        if not asked.whole_layers:
            return ()
        removable = find_removable(asked.start.model, limits=asked.limits)
        return [WithoutLayers(branches=(branch.name,)) for branch in removable]

    def preview(self, model: keras.Model, setting: WithoutLayers) -> keras.Model:
        """The model without them."""
        from edgeprune.keras_bridge.model.probes import draw_inputs
        from edgeprune.keras_bridge.model.rebuild import drop_branches
        from edgeprune.keras_bridge.model.trace import trace

        traced = trace(model)
        branches = name_branches(traced.graph, setting.branches)
        return drop_branches(
            model, traced, branches=branches, probe=draw_inputs(model, traced.graph, seed=0)
        ).model

    def apply(self, model: keras.Model, setting: WithoutLayers, *, trainer: Trainer) -> Applied:
        """The model without them, proven equal to the one in which they are skipped, and recovered."""
        from edgeprune.keras_bridge.training.evaluation import settle_batch_norm
        from edgeprune.keras_bridge.training.own_loop import make_tuner
        from edgeprune.keras_bridge.training.train import Trained

        smaller = self.preview(model, setting)
        recovery = trainer.plan_recovery()
        tuner = make_tuner(smaller, trainer.teacher, training=trainer.training, recovery=recovery)
        start = Trained(step=0, optimizer=[], losses=[])
        tuner.tune(recovery.total_steps, start=start, advance=trainer.progress.advance)
        settled, accuracy = settle_batch_norm(
            tuner.student, trainer.evaluator, source=trainer.training.source, seed=trainer.seed
        )
        return Applied(model=settled, accuracy=accuracy, note=setting.describe())


METHODS.add("layers", LayersMethod())
