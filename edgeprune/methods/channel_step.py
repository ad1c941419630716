"""One pruning step: rank the channels, solve for the budgets, rebuild, convert and measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgeprune.config.budgets import BUDGETS
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.methods.pricing import Budgets
from edgeprune.prune.costs import Costs
from edgeprune.prune.criteria import CRITERIA, Evidence, Scores, score_groups
from edgeprune.prune.limits import Limits
from edgeprune.prune.solve import Solution, solve
from edgeprune.units import format_quantity

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.rebuild import Compacted
    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.train import Training

STAGES = ((0.5, 0.5), (0.75, 0.5), (0.75, 1.0), (1.0, 1.0))
"""Largest fraction of an original family that may be gone, and that goes in one step. The first that meet the
targets are taken: recovery gives back little of what a layer narrowed further has lost."""
PROBE_SAMPLES = 8
"""Inputs on which masked and compacted models are compared."""
ATTEMPTS = 8
"""How often a plan is corrected after the converted file turned out larger or slower than predicted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruner:
    """Everything a pruning step depends on besides the model.

    Attributes:
        criterion: how channels are ranked.
        limits: alignment, least widths and scope.
        dense: budget name → cost of the dense model, in the budget's unit.
        budgets: budget name → largest cost allowed.
        widths: family name → prunable channels of the dense model.
        costs: the solver's cost model, fitted on the dense model's conversion.
        measure: converts a model and gives its costs on the device.
        normalise: how scores are made comparable; None for the criterion's own way.
        evaluator: measures the curves of criterion `sensitivity`.
        branches: what goes as a whole, first; see `layers.layer_step`.
        chosen: family → prunable channels that a plan leaves, where one won over the solver's own.
    """

    criterion: str
    limits: Limits
    dense: Mapping[str, float]
    budgets: Budgets
    widths: Mapping[str, int]
    costs: Costs
    measure: Callable[[keras.Model], Mapping[str, float]]
    branches: tuple[Branch, ...] = ()
    normalise: str | None = None
    evaluator: Evaluator | None = None
    chosen: Mapping[str, int] = field(default_factory=dict)

    def targets(self, fraction: float) -> dict[str, float]:
        """The costs allowed once a fraction of the reduction is done; all budgets at 1."""
        return {
            name: budget
            if self.dense[name] <= budget
            else self.dense[name] - fraction * (self.dense[name] - budget)
            for name, budget in self.budgets.items()
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PrunedStep:
    """A smaller model, proven and measured.

    Attributes:
        compacted: the model and its proof.
        cost: budget name → what its conversion costs.
        macs: multiply-accumulates of one inference.
    """

    compacted: Compacted
    cost: Mapping[str, float]
    macs: int


def prune_step(
    model: keras.Model,
    fraction: float,
    *,
    pruner: Pruner,
    training: Training,
    probe: tuple[Array, ...],
    seed: int,
) -> PrunedStep:
    """A smaller model whose costs have come a fraction of the way to the budgets.

    Args:
        model: what to prune; not changed.
        fraction: how far, in (0, 1]; at 1 the converted file itself keeps to every budget.
        pruner: how to prune.
        training: what gradients are taken of.
        probe: real inputs for the proof, one array per model input.
        seed: of gradient batches and random scores.

    Raises:
        InfeasibleError: no plan keeps to the targets, or masked and compacted models differ.
    """
    from edgeprune.keras_bridge.model.rebuild import compact
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    graph, channels = traced.graph, keep_layers(name_channels(traced.graph), pruner.limits.keep)
    scores = score_channels(model, traced, channels, pruner=pruner, training=training, seed=seed)
    few = tuple(x[:PROBE_SAMPLES] for x in probe)
    targets, costs = pruner.targets(fraction), pruner.costs
    for _ in range(ATTEMPTS):
        solution = solve_gently(graph, channels, scores=scores, costs=costs, targets=targets, pruner=pruner)
        compacted = compact(model, traced, channels=channels, kept=solution.kept, probe=few)
        cost = pruner.measure(compacted.model)
        if fraction < 1 or all(cost[name] <= target for name, target in targets.items()):
            macs = count_macs(Lowering(graph, channels).lower(solution.kept))
            return PrunedStep(compacted=compacted, cost=cost, macs=macs)
        costs = costs.refit(predicted=solution.costs, measured={**solution.costs, **cost})
    raise InfeasibleError(
        "the converted model misses the budgets although the solver predicted that it fits",
        why=", ".join(f"{name} {cost[name]:g} > {target:g}" for name, target in targets.items()),
        fix="widen the budget that is missed a little",
    )


def require_feasible(graph: LayerGraph, *, pruner: Pruner) -> None:
    """Asks, before any training is spent, whether removing everything that may go would meet the budgets.

    Raises:
        InfeasibleError: it would not; the message names the least that can be reached.
    """
    least = find_least(graph, pruner=pruner)
    if not least.feasible:
        raise _refuse(least, pruner.budgets)


def is_feasible(graph: LayerGraph, *, pruner: Pruner) -> bool:
    """Whether removing every channel that may go would meet the budgets."""
    try:
        require_feasible(graph, pruner=pruner)
    except InfeasibleError:
        return False
    return True


def find_least(graph: LayerGraph, *, pruner: Pruner) -> Solution:
    """A plan that meets the budgets, by the size of weights alone; what misses them least where none does.

    Raises:
        InfeasibleError: not one channel may go.
    """
    channels = keep_layers(name_channels(graph), pruner.limits.keep)
    scores = score_groups(CRITERIA["l2"], Evidence(graph=graph, channels=channels))
    return solve(
        graph, channels, scores=scores, costs=pruner.costs, budgets=pruner.budgets, limits=pruner.limits
    )


def score_channels(
    model: keras.Model,
    traced: Traced,
    channels: ChannelMap,
    *,
    pruner: Pruner,
    training: Training,
    seed: int,
) -> Scores:
    """(groups,) importance of the channels of a model, by the pruner's criterion."""
    from edgeprune.keras_bridge.training.evidence import gather_evidence

    evidence = gather_evidence(
        model, traced, channels=channels, training=training, evaluator=pruner.evaluator, seed=seed
    )
    return score_groups(CRITERIA[pruner.criterion], evidence, normalise=pruner.normalise)


def solve_gently(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    scores: Scores,
    costs: Costs,
    targets: Budgets,
    pruner: Pruner,
) -> Solution:
    """The plan that spares every family as far as the targets allow; see `STAGES`.

    The widths of a chosen plan are kept to as long as the targets allow.
    """
    asked = pruner.limits.least_widths
    stages = [
        (step, {name: math.ceil((1 - ratio) * width) for name, width in pruner.widths.items()})
        for ratio, step in STAGES
    ]
    if pruner.chosen:
        stages.insert(0, (1.0, dict(pruner.chosen)))
    for number, (step, floors) in enumerate(stages, 1):
        least = {name: max(width, asked.get(name, 0)) for name, width in floors.items()}
        gentle = replace(pruner.limits, max_ratio=step, least_widths=least, dense_widths=pruner.widths)
        try:
            solution = solve(graph, channels, scores=scores, costs=costs, budgets=targets, limits=gentle)
        except InfeasibleError:  # every family is as narrow as this lets it become
            if number == len(stages):
                raise
            continue
        if solution.feasible:
            return solution
    raise _refuse(solution, targets)


def _refuse(solution: Solution, budgets: Budgets) -> InfeasibleError:
    missed = [name for name, budget in budgets.items() if solution.costs[name] > budget]
    return InfeasibleError(
        "no pruned model meets the budgets",
        why="with every channel removed that may go, "
        + ", ".join(f"{name} is still {_amount(name, solution.costs[name])}" for name in missed)
        + " where "
        + ", ".join(_amount(name, budgets[name]) for name in missed)
        + " are allowed",
        fix=f"the best found needs {', '.join(_flag(name, solution.costs[name]) for name in missed)}",
    )


def _amount(name: str, value: float) -> str:
    return format_quantity(value, BUDGETS[name].unit)


def _flag(name: str, value: float) -> str:
    kind = BUDGETS[name]
    parts = 100 if kind.unit == "ms" else 1  # hundredths of a millisecond, whole KiB
    return f"{kind.flag} {math.ceil(value / kind.scale * parts) / parts:g}"
