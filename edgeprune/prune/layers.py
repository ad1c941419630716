"""Which whole branches go before channels do.

A branch is worth removing if the budgets are then met at a smaller loss of importance in all: the branch's
own price, plus the scores of the channels that must still go. Every set is judged by a whole run of the
solver, so that a branch is weighed against channels on the very budget that binds.
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
class Choice:
    """What goes as a whole.

    Attributes:
        branches: the branches; none where channels alone are cheaper.
        price: importance lost with them, channels included.
        price_of_channels: importance lost when only channels go; infinite where they cannot meet the budgets.
    """

    branches: tuple[Branch, ...]
    price: float
    price_of_channels: float


def choose_branches(
    graph: LayerGraph,
    branches: Sequence[Branch],
    *,
    prices: Mapping[str, float],
    scores: Scores,
    costs: Costs,
    budgets: Mapping[str, float],
    limits: Limits,
) -> Choice:
    """The branches to remove, one after the other, as long as each makes the whole cheaper.

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

    def price_of(chosen: Sequence[Branch]) -> float:
        smaller = bypass(graph, chosen)
        names = name_channels(smaller) if chosen else channels
        moved = transfer_scores(scores, channels, names) if chosen else scores
        try:
            solution = solve(smaller, names, scores=moved, costs=costs, budgets=budgets, limits=limits)
        except InfeasibleError:
            return np.inf
        if not solution.feasible:
            return np.inf
        return float(moved[~solution.kept].sum()) + sum(prices[b.name] for b in chosen)

    best = alone = price_of(())
    chosen: list[Branch] = []
    while True:
        gone = {i for branch in chosen for i in branch.nodes}
        rest = [b for b in branches if gone.isdisjoint(b.nodes) and prices[b.name] < best]
        found = [(price_of([*chosen, branch]), branch) for branch in rest]
        price, branch = min(found, key=lambda pair: pair[0], default=(np.inf, None))
        if branch is None or price >= best:
            return Choice(branches=tuple(chosen), price=best, price_of_channels=alone)
        best = price
        chosen.append(branch)


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
