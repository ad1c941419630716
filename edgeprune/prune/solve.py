"""The budget solver: which groups go so that the device's budgets hold, at the least loss of importance.

First greedily (`greedy.py`): as long as a budget is exceeded, the block of channels goes that has the
smallest score per unit of what is still exceeded. Then blocks are exchanged as long as less is lost
(`exchange.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import summarise_reasons
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.surgery import Kept
from edgeprune.prune.costs import Costs
from edgeprune.prune.criteria import Scores
from edgeprune.prune.exchange import exchange
from edgeprune.prune.families import cut_blocks, rank_families
from edgeprune.prune.greedy import come_within, put_back_what_fits
from edgeprune.prune.ledger import Ledger
from edgeprune.prune.limits import Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """A plan and what it is predicted to cost.

    Attributes:
        kept: (groups,) True for each group that stays.
        costs: budget name → predicted cost.
        loss: what is lost with the groups that go, as their blocks count it.
        feasible: whether all limits are predicted to hold.
    """

    kept: Kept
    costs: Mapping[str, float]
    loss: float
    feasible: bool


def solve(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    scores: Scores,
    costs: Costs,
    budgets: Mapping[str, float],
    limits: Limits,
) -> Solution:
    """A plan whose predicted costs are within the budgets, or the cheapest one if there is none.

    Args:
        graph: the model.
        channels: its groups.
        scores: (groups,) importance.
        costs: the device's cost model.
        budgets: budget name → largest cost allowed, in the unit of the cost; names as in `costs`.
        limits: alignment and least widths.

    Raises:
        InfeasibleError: the model has no channel that may go, though a budget is exceeded.
    """
    blocks = cut_blocks(channels, scores, limits=limits)
    ledger = Ledger(graph, channels, costs=costs, budgets=budgets, blocks=blocks)
    feasible = come_within(ledger, scope=limits.scope)
    if not feasible and ledger.kept.all():
        raise _nothing_left(channels, scores, limits=limits, exceeded=ledger.excess())
    if feasible:
        put_back_what_fits(ledger)
        if limits.scope == "global":
            exchange(ledger)
    return Solution(kept=ledger.kept, costs=ledger.costs(), loss=ledger.loss, feasible=feasible)


def _nothing_left(
    channels: ChannelMap, scores: Scores, *, limits: Limits, exceeded: Mapping[str, float]
) -> InfeasibleError:
    """Why not one channel can go for budgets that are exceeded."""
    fix = "'edgeprune inspect MODEL' lists the reasons per layer"
    reasons = summarise_reasons(channels)
    if not rank_families(channels, scores, floors=limits.floors):
        return InfeasibleError("no channel of this model may be removed", why=reasons, fix=fix)
    return InfeasibleError(
        f"no further channel can be removed for the sake of {' and '.join(exceeded)}",
        why="groups are as narrow as min_channels and round_to let them become"
        + (f"; {reasons}" if reasons else ""),
        fix=f"{fix}; a wider budget, or round_to = 1 in a recipe, leaves more room",
    )
