"""Towards the budgets block by block, and back as far as they allow.

A block is as many of a family's least important channels as bring its width to the next multiple of the
device's channel alignment, because kernels are no faster in between. The last block often saves more than was
asked, so blocks that still fit are put back afterwards.
"""

import heapq
from collections.abc import Mapping

from edgeprune.prune.ledger import Ledger

_NO_RELIEF = 1e-9
"""What a block counts that saves nothing by itself: it may open the way, so it is ranked last, not never."""
_FREE: Mapping[int, int] = {}


def come_within(ledger: Ledger, *, scope: str = "global", most: Mapping[int, int] = _FREE) -> bool:
    """Removes blocks until the budgets hold; False if they do not with all gone that may go.

    In global scope the block goes whose score is least per excess that it takes away; in local scope that of
    the family which then has lost the smallest share of its channels.

    Args:
        ledger: the plan; changed.
        scope: "global" or "local".
        most: family → how many of its blocks may be gone, where not all may.
    """
    while excess := ledger.excess():
        prices = {}
        for family, gone in ledger.gone.items():
            block = ledger.next_block(family)
            if block is None or gone >= most.get(family, gone + 1):
                continue
            if scope == "local":
                prices[family] = block.share
            else:
                prices[family] = block.loss / max(ledger.relief(family, excess), _NO_RELIEF)
        if not prices:
            return False
        best = min(prices, key=prices.__getitem__)
        ledger.move({best: ledger.gone[best] + 1})
    return True


def put_back_what_fits(ledger: Ledger, *, least: Mapping[int, int] = _FREE) -> None:
    """Puts blocks back, the most important first, as long as all budgets hold.

    Within a family the block that was removed last is the most important, so it comes back first.

    Args:
        ledger: the plan, within the budgets; changed.
        least: family → how many of its blocks stay gone, where not all may come back.
    """

    def add(family: int) -> None:
        block = ledger.last_block(family)
        if block is not None and ledger.gone[family] > least.get(family, 0):
            heapq.heappush(waiting, (-block.loss, family))

    waiting: list[tuple[float, int]] = []
    for family in ledger.gone:
        add(family)
    while waiting:
        _, family = heapq.heappop(waiting)
        if ledger.may_fit_back(family):
            ledger.move({family: ledger.gone[family] - 1})
            if ledger.excess():
                ledger.move({family: ledger.gone[family] + 1})
            else:
                add(family)
