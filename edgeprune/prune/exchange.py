"""A plan that keeps to the budgets, made better by exchanging blocks.

Local search: a few blocks are removed or put back against the order in which the greedy plan took them, and
stay so while the rest finds its way within the budgets again. What loses less is the new plan, until no such
change helps. One family at a time is changed first, then two. The search starts from the plan at hand, and
once more from what is left of the budgets when all is gone and the most important comes back first.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

from edgeprune.prune.greedy import come_within, put_back_what_fits
from edgeprune.prune.ledger import Ledger

_LOOKS = 3_000
"""How many times a family is looked at before a search stops: small models are searched through, large ones
take hardly longer."""
_SAME = 1 - 1e-9
"""Losses closer than this are equal but for rounding."""


def exchange(ledger: Ledger) -> None:
    """Lessens the loss of a plan within the budgets; the result is within them, too."""
    if not any(ledger.gone.values()):
        return
    _search(ledger)
    found, loss = dict(ledger.gone), ledger.loss
    ledger.move({family: ledger.count_blocks(family) for family in found})
    if not ledger.excess():
        put_back_what_fits(ledger)
        _search(ledger)
    if ledger.excess() or ledger.loss >= loss * _SAME:
        ledger.move(found)


def _search(ledger: Ledger) -> None:
    trials = _LOOKS // max(1, len(ledger.gone))
    improved = True
    while improved and trials > 0:
        improved = False
        for change in list(_list_changes(ledger)):
            if trials <= 0:
                break
            best, loss = dict(ledger.gone), ledger.loss
            forced = {family: best[family] + by for family, by in change.items()}
            if loss <= 0 or not all(0 <= n <= ledger.count_blocks(family) for family, n in forced.items()):
                continue
            trials -= 1
            if _follow(ledger, forced) and ledger.loss < loss * _SAME:
                improved = True
            else:
                ledger.move(best)


def _list_changes(ledger: Ledger) -> Iterator[dict[int, int]]:
    """Family → by how many blocks more are to be gone; single families before pairs, small changes first.

    A pair goes or comes back together: one for the other is what follows a change of either.
    """
    counts = {family: ledger.count_blocks(family) for family in ledger.gone}
    for by in range(1, max(counts.values(), default=0) + 1):
        for family, count in counts.items():
            if by <= count:
                yield {family: by}
                yield {family: -by}
    for first, second in combinations(counts, 2):
        for by in (1, -1):
            yield {first: by, second: by}


def _follow(ledger: Ledger, forced: Mapping[int, int]) -> bool:
    """Brings a plan within the budgets, with that many blocks of some families gone; False if it cannot be.

    These families stay so while the others adapt; then what fits comes back, of them as well.
    """
    start = dict(ledger.gone)
    ledger.move(forced)
    if not come_within(ledger, most={f: n for f, n in forced.items() if n < start[f]}):
        return False
    put_back_what_fits(ledger, least={f: n for f, n in forced.items() if n > start[f]})
    put_back_what_fits(ledger)
    return True
