"""Channels, by the loop: whole layers on trial first, then channels in steps, until every budget holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import bypass
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.opshape import OpShape
from edgeprune.measuring.records import Worth
from edgeprune.methods.channel_step import (
    PROBE_SAMPLES,
    Pruner,
    find_least,
    require_feasible,
    solve_gently,
)
from edgeprune.methods.layers import find_removable, take_branches
from edgeprune.methods.loop import shrink
from edgeprune.methods.method import METHODS, Applied, Asked, Phase
from edgeprune.methods.plans import PlanChoice, choose_plan
from edgeprune.methods.repairing import refit_cut
from edgeprune.methods.start import describe_step
from edgeprune.prune.costs import fit_costs
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.families import family_widths

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ToBudgets:
    """How far channels go: until the budgets hold.

    Attributes:
        asked: where pruning starts, and the budgets.
    """

    asked: Asked

    @property
    def name(self) -> str:
        """Of the method."""
        return "channels"

    @property
    def flag(self) -> str:
        """The options that ask for it."""
        return "a budget"

    def describe(self) -> str:
        """In a table."""
        return "channels alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelsMethod:
    """Channels, through residual additions, concatenations and depthwise layers, by a criterion."""

    name: str = "channels"
    title: str = "remove channels"
    phase: Phase = "structure"
    setting: type[ToBudgets] = ToBudgets

    def worth(self, profile: Profile, *, setting: ToBudgets | None = None, scheme: str = "int8") -> Worth:
        """Everything, everywhere."""
        return Worth(flash=True, latency=True, reason="fewer channels take less flash, RAM and time")

    def check(self, setting: ToBudgets) -> None:
        """Budgets are checked where they are resolved."""

    def settings(self, asked: Asked) -> Sequence[ToBudgets]:
        """The budgets are all there is to say."""
        return [ToBudgets(asked=asked)]

    def preview(self, model: keras.Model, setting: ToBudgets) -> keras.Model:
        """Pruned at once, by magnitude."""
        from edgeprune.keras_bridge.model.probes import draw_inputs
        from edgeprune.keras_bridge.model.rebuild import compact
        from edgeprune.keras_bridge.model.trace import trace

        asked = setting.asked
        pruner, traced = _make_pruner(asked), trace(model)
        channels = keep_layers(name_channels(traced.graph), asked.limits.keep)
        scores = score_groups(CRITERIA["l2"], Evidence(graph=traced.graph, channels=channels))
        solution = solve_gently(
            traced.graph,
            channels,
            scores=scores,
            costs=pruner.costs,
            targets=asked.budgets,
            pruner=pruner,
        )
        probe = draw_inputs(model, traced.graph, seed=0)
        return compact(model, traced, channels=channels, kept=solution.kept, probe=probe).model

    def apply(self, model: keras.Model, setting: ToBudgets, *, trainer: Trainer) -> Applied:
        """The loop of `shrink`, for the plan that won.

        Raises:
            InfeasibleError: no plan meets the budgets.
        """
        asked = setting.asked
        pruner = replace(_make_pruner(asked), evaluator=trainer.evaluator)
        recovery = trainer.plan_recovery()
        choice = _compete(model, asked=asked, pruner=pruner, trainer=trainer)
        pruner = replace(take_branches(model, pruner, choice.branches), chosen=choice.widths)
        recovery = replace(recovery, total_steps=recovery.total_steps - choice.steps)
        require_feasible(bypass(asked.start.graph, pruner.branches), pruner=pruner)
        start = replace(asked.start, model=model)
        applied = shrink(start, pruner=pruner, recovery=recovery, schedule=asked.schedule, trainer=trainer)
        return replace(applied, plans=choice.plans)


METHODS.add("channels", ChannelsMethod())


def fine_tune(asked: Asked, *, trainer: Trainer) -> Applied:
    """The model as it is, recovered as long as one is that was pruned: what pruning is held against."""
    from edgeprune.keras_bridge.model.weights import copy_model

    # A copy: what it is held against, and learns from, stays as it is.
    start = replace(asked.start, model=copy_model(asked.start.model))
    pruner = _make_pruner(replace(asked, budgets={}))
    applied = shrink(
        start,
        pruner=pruner,
        recovery=trainer.plan_recovery(),
        schedule=asked.schedule,
        trainer=trainer,
    )
    return replace(applied, steps=[*start.steps, *applied.steps])


def narrow_to_least(asked: Asked, *, trainer: Trainer) -> Applied | None:
    """The model that comes nearest to budgets which no plan meets, refitted but not trained.

    None where not one channel may go.

    Args:
        asked: where pruning starts, and what cannot be held.
        trainer: refits and scores it.
    """
    from edgeprune.keras_bridge.model.rebuild import compact
    from edgeprune.keras_bridge.model.repair import Cut
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.evaluation import settle_batch_norm

    start, pruner, evaluator = asked.start, _make_pruner(asked), trainer.evaluator
    traced = trace(start.model)
    graph, channels = traced.graph, keep_layers(name_channels(traced.graph), asked.limits.keep)
    try:
        plan = find_least(graph, pruner=pruner)
    except InfeasibleError:
        return None
    few = tuple(x[:PROBE_SAMPLES] for x in evaluator.inputs)
    smaller = compact(start.model, traced, channels=channels, kept=plan.kept, probe=few).model
    cut = Cut(smaller=smaller, original=start.model, traced=traced, channels=channels, kept=plan.kept)
    source, seed = trainer.training.source, trainer.seed
    refitted = refit_cut(cut, evaluator=evaluator, source=source, seed=seed).model
    model, accuracy = settle_batch_norm(refitted, evaluator, source=source, seed=seed)
    row = describe_step(
        len(start.steps),
        "prune",
        model=model,
        cost=pruner.measure(model),
        macs=count_macs(Lowering(graph, channels).lower(plan.kept)),
        accuracy=accuracy,
        note="all that may go, refitted, not trained",
    )
    return Applied(model=model, accuracy=accuracy, steps=[*start.steps, row], equivalence=start.equivalence)


_PEAK = "ram"
"""The budget that follows the largest sum of live activations, not a sum over ops."""


def _free(op: OpShape) -> float:
    return 0.0


def _make_pruner(asked: Asked) -> Pruner:
    start, budgets = asked.start, asked.budgets
    channels = keep_layers(name_channels(start.graph), asked.limits.keep)
    # What nobody prices by ops counts as fixed: it holds, or no plan helps.
    per_op = {name: _free for name in budgets if name != _PEAK} | dict(asked.pricing.per_op)

    def price(model: keras.Model) -> Mapping[str, float]:
        return asked.pricing.price(model, budgets=budgets)

    return Pruner(
        criterion=asked.criterion,
        limits=asked.limits,
        dense=start.cost,
        budgets=budgets,
        widths=family_widths(channels),
        costs=fit_costs(start.graph, channels, per_op=per_op, peak=_PEAK, measured=start.cost),
        measure=price,
        normalise=asked.normalise,
    )


def _compete(model: keras.Model, *, asked: Asked, pruner: Pruner, trainer: Trainer) -> PlanChoice:
    """The plan that `choose_plan` takes, now or before the build was interrupted."""
    if (finished := trainer.work.load("plan")) is not None:
        _, state = finished
        plans = tuple(state["plans"])
        return PlanChoice(**{**state, "branches": tuple(state["branches"]), "plans": plans})
    if asked.is_trial:
        return PlanChoice()
    removable = find_removable(model, limits=asked.limits) if asked.whole_layers else ()
    choice = choose_plan(model, removable, pruner=pruner, trainer=trainer)
    if choice.plans:
        with trainer.work.finish("plan", asdict(choice)):
            pass
    if choice.note:
        trainer.progress.note(f"removed as a whole: {choice.note}")
    return choice
