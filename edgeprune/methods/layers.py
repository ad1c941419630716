"""Removing whole layers: which ones are worth a trial, and the step that does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeprune.device.profile import Profile
from edgeprune.graph.branches import Branch, bypass, find_branches, unfolded_name
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import find_layers, keep_layers
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.measuring.records import Worth
from edgeprune.methods.channel_step import PROBE_SAMPLES, PrunedStep, Pruner, score_channels
from edgeprune.methods.method import METHODS, Applied, Asked, Phase
from edgeprune.prune.families import family_widths
from edgeprune.prune.layers import importance_lost
from edgeprune.prune.limits import Limits

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.train import Training
    from edgeprune.keras_bridge.training.trainer import Trainer

MOST_CANDIDATES = 3
LEAST_RELIEF = 0.5
"""How much less importance the channels must lose, as a fraction, for layers to be worth a trial: what won so
far spared them 0.55 and more. A DS-CNN's blocks spare less, and lose every trial."""
MORE_RELIEF, ENOUGH = 0.25, 0.25
"""How much less again, for more of them at once to be, and what fraction of the whole is little enough."""
LEAST_REPEATS = 5
"""Of fewer layers that repeat one another each is needed: without one of its four blocks, at half its
latency, a DS-CNN ends 3 points lower, and without two 6."""


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


def list_worthwhile(
    model: keras.Model,
    traced: Traced,
    branches: Sequence[Branch],
    *,
    pruner: Pruner,
    training: Training,
    seed: int,
) -> tuple[tuple[Branch, ...], ...]:
    """What is worth a trial: single branches, those first that spare channels most, then 2, 4, 8... at once.

    Many go only of those that repeat others. MobileNetV1-0.25, whose layers must come to a third of their
    widths for half of its latency, ended at 65 % after 16 epochs without the five blocks that do the same one
    after the other, at 61 without four of which two are the only ones of their shape, as with channels alone.
    """
    if not branches:
        return ()
    limits = pruner.limits
    channels = keep_layers(name_channels(traced.graph), limits.keep)
    scores = score_channels(model, traced, channels, pruner=pruner, training=training, seed=seed)

    def lose(*gone: Branch) -> float:
        return importance_lost(
            traced.graph, gone, scores=scores, costs=pruner.costs, budgets=pruner.budgets, limits=limits
        )

    alone = lose()
    found = sorted(((lose(branch), i) for i, branch in enumerate(branches)))
    most = (1 - LEAST_RELIEF) * alone
    singles = [(branches[i],) for lost, i in found if lost <= most and lost < math.inf]
    repeats, others = split_repeats(traced.graph, [branches[i] for _, i in found])
    if len(repeats) < LEAST_REPEATS and alone < math.inf:
        repeats = []
    left, count, many = found[0][0], 1, []
    while left > ENOUGH * alone or left == math.inf:
        there = repeats if left < math.inf else [*repeats, *others]
        if count >= len(there):
            break
        count = min(2 * count, len(there))
        if (lost := lose(*there[:count])) <= min(most, (1 - MORE_RELIEF) * left) and lost < math.inf:
            many.append(tuple(there[:count]))
            left = lost
    return (*singles[: max(1, MOST_CANDIDATES - len(many))], *many)


def split_repeats(graph: LayerGraph, branches: Sequence[Branch]) -> tuple[list[Branch], list[Branch]]:
    """Those that do again what others do, at the same shape, and the others; no two of them share a call."""
    apart: list[Branch] = []
    for branch in branches:
        if all(branch.nodes.isdisjoint(other.nodes) for other in apart):
            apart.append(branch)
    shapes = [graph.shapes[graph.nodes[max(branch.passing)].outputs[0]] for branch in apart]
    split: tuple[list[Branch], list[Branch]] = [], []
    for branch, shape in zip(apart, shapes, strict=True):
        split[shapes.count(shape) == 1].append(branch)
    return split


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
