"""What removing whole branches would spare the channels.

Every branch is judged by a whole run of the solver on the graph without it, so that it is weighed against
channels on the very budget that binds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch, bypass
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.prune.costs import Costs
from edgeprune.prune.criteria import Scores
from edgeprune.prune.limits import Limits
from edgeprune.prune.solve import solve


def importance_lost(
    graph: LayerGraph,
    branches: Sequence[Branch],
    *,
    scores: Scores,
    costs: Costs,
    budgets: Mapping[str, float],
    limits: Limits,
) -> float:
    """Importance of the channels that must still go once some branches have; infinite where that does not do.

    Args:
        graph: the model.
        branches: what goes as a whole; none for channels alone.
        scores: (groups,) importance of the whole graph's channels.
        costs: the device's cost model.
        budgets: budget name → largest cost allowed.
        limits: what the solver must respect.
    """
    smaller = bypass(graph, branches)
    channels = name_channels(smaller)
    left = transfer_scores(scores, name_channels(graph), channels)
    try:
        solution = solve(smaller, channels, scores=left, costs=costs, budgets=budgets, limits=limits)
    except InfeasibleError:
        return np.inf
    return solution.loss if solution.feasible else np.inf


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
