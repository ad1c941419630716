"""Which whole branches are worth a trial, instead of channels.

A branch is weighed by two figures, both from a whole run of the solver on the graph without it, so that it is
compared with channels on the very budget that binds: the importance of the channels that must still go, and
that sum with the branch's own price. Neither says how well the rest recovers, so they only make a shortlist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch, bypass
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.prune.criteria import Scores
from edgeprune.prune.solve import Costs, Limits, solve


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """A branch, and what must go besides it.

    Attributes:
        branch: the branch.
        channels: importance of the channels that must still go; infinite where the budgets cannot be met.
        price: that and the branch's own importance.
    """

    branch: Branch
    channels: float
    price: float


def weigh_branches(
    graph: LayerGraph,
    branches: Sequence[Branch],
    *,
    prices: Mapping[str, float],
    scores: Scores,
    costs: Costs,
    budgets: Mapping[str, float],
    limits: Limits,
) -> list[Weighed]:
    """Every branch, weighed on the budgets.

    Args:
        graph: the model.
        branches: what could go.
        prices: branch name → importance, in the unit of `scores`.
        scores: (groups,) importance of the graph's channels.
        costs: the device's cost model.
        budgets: budget name → largest cost allowed.
        limits: what the solver must respect.
    """
    channels = name_channels(graph)
    weighed = []
    for branch in branches:
        smaller = bypass(graph, [branch])
        names = name_channels(smaller)
        moved = transfer_scores(scores, channels, names)
        left = np.inf
        try:
            solution = solve(smaller, names, scores=moved, costs=costs, budgets=budgets, limits=limits)
            if solution.feasible:
                left = float(moved[~solution.kept].sum())
        except InfeasibleError:
            pass  # no channel may go, and the branch alone does not do: as dear as can be
        weighed.append(Weighed(branch=branch, channels=left, price=left + prices[branch.name]))
    return weighed


def shortlist_branches(weighed: Sequence[Weighed], *, count: int) -> tuple[Branch, ...]:
    """Up to `count` branches that are worth a trial: the best by either figure, in the order of the graph."""
    possible = [w for w in weighed if np.isfinite(w.channels)]
    by_channels = sorted(possible, key=lambda w: w.channels)
    by_price = sorted(possible, key=lambda w: w.price)
    chosen: dict[str, None] = {}
    for pair in zip(by_channels, by_price, strict=True):
        for w in pair:
            if len(chosen) < count:
                chosen.setdefault(w.branch.name)
    return tuple(w.branch for w in possible if w.branch.name in chosen)


def transfer_scores(scores: Scores, old: ChannelMap, new: ChannelMap) -> Scores:
    """Scores of the channels of a graph without some branches, from those of the whole graph.

    Where a branch that went had kept two channels apart, the one that remains has the scores of both.
    """
    pairs = [
        np.stack([new_ids, old_ids], axis=1)
        for name in new.tensors
        for new_ids, old_ids in zip(new.along(name), old.along(name), strict=True)
        if new_ids is not None and old_ids is not None
    ]
    for layer, by_weight in new.axes.items():
        for weight, along in by_weight.items():
            pairs += [
                np.stack([new_ids, old_ids], axis=1)
                for new_ids, old_ids in zip(along, old.axes[layer][weight], strict=True)
                if new_ids is not None and old_ids is not None
            ]
    met = np.unique(np.concatenate(pairs), axis=0)
    moved = np.zeros(new.groups)
    np.add.at(moved, met[:, 0], scores[met[:, 1]])
    return moved
