"""The budget solver: which groups go so that the device's budgets hold, at the least loss of importance.

Greedy: as long as a budget is exceeded, remove the block of channels with the smallest score per unit of what
is still exceeded. A block is as many of a family's least important channels as bring its width to the next
multiple of the device's channel alignment, because kernels are no faster in between. The last block often
saves more than was asked, so blocks that still fit are put back afterwards, the most important first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.keeping import summarise_reasons
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.surgery import Kept
from edgeprune.prune.costs import Costs
from edgeprune.prune.criteria import Scores
from edgeprune.prune.families import cut_blocks, rank_families
from edgeprune.prune.ledger import Ledger
from edgeprune.prune.limits import Limits

_NO_GAIN = 1e-9
"""What a block that saves nothing by itself counts: it may open the way, so it is ranked last, not never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """A plan and what it is predicted to cost.

    Attributes:
        kept: (groups,) True for each group that stays.
        costs: budget name → predicted cost.
        feasible: whether all limits are predicted to hold.
    """

    kept: Kept
    costs: Mapping[str, float]
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
    ledger = Ledger(graph, channels, costs=costs, blocks=blocks)
    removed: list[int] = []
    while True:
        now = ledger.costs()
        excess = {name: now[name] - limit for name, limit in budgets.items() if now[name] > limit}
        if not excess:
            _restore_what_fits(ledger, removed, budgets)
            return Solution(kept=ledger.kept, costs=ledger.costs(), feasible=True)
        best = _find_cheapest(ledger, excess, scope=limits.scope)
        if best is None:
            if not removed:
                raise _nothing_left(channels, scores, limits=limits, exceeded=excess)
            return Solution(kept=ledger.kept, costs=now, feasible=False)
        ledger.remove(best)
        removed.append(best)


def _find_cheapest(ledger: Ledger, excess: Mapping[str, float], *, scope: str) -> int | None:
    """The family whose next block has the least score per excess it takes away; None if no block may go.

    In local scope, the family that will then have lost the smallest share of its channels.
    """
    prices = {}
    for family in ledger.gone:
        block = ledger.next_block(family)
        if block is None:
            continue
        if scope == "local":
            prices[family] = block.share
        else:
            saved = ledger.savings(family, of=excess)
            gain = sum(min(saved[name], over) / over for name, over in excess.items())
            prices[family] = block.loss / (gain if gain > 0 else _NO_GAIN)
    return min(prices, key=prices.__getitem__, default=None)


def _restore_what_fits(ledger: Ledger, removed: list[int], budgets: Mapping[str, float]) -> None:
    """Puts removed blocks back, the most important first, as long as all budgets hold.

    Within a family the block that was removed last is the most important, so it comes back first.

    Args:
        ledger: the plan; changed.
        removed: the families whose blocks were removed, in that order; equal ones come back in it.
        budgets: budget name → largest cost allowed.
    """
    open_ = list(dict.fromkeys(removed))
    while open_:
        family = max(open_, key=lambda f: ledger.last_block(f).loss)
        ledger.put_back(family)
        now = ledger.costs()
        if any(now[name] > limit for name, limit in budgets.items()):
            ledger.remove(family)
            open_.remove(family)
        elif ledger.gone[family] == 0:
            open_.remove(family)


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
        why="groups are as narrow as --min-channels and --round-to let them become"
        + (f"; {reasons}" if reasons else ""),
        fix=f"{fix}; a wider budget, or --round-to 1, leaves more room",
    )
