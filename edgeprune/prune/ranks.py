"""Which layers are factorised, at which ranks: the least of the outputs lost for what a device saves.

Every layer offers ranks, each with what it costs on the device and what it loses: the fraction of the
variance of the layer's outputs. Of all layers together the ranks are taken in the order of loss per cost
saved, along the lower convex hull of each layer's offers: a multiple-choice knapsack, solved greedily (Sinha
& Zoltners 1979, "The Multiple-Choice Knapsack Problem").
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from edgeprune.graph.opshape import OpShape
from edgeprune.prune.factors import Factoring, Ranks

PriceCalls = Callable[[Sequence[tuple[OpShape, ...]]], float]
"""What a layer costs, by the ops of each of its calls: weights are stored once, and run with every call."""
_TUCKER_CHOICES = 16
"""Ranks of each side of Tucker-2 that are offered, at most: all pairs of them are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One way to have a layer.

    Attributes:
        ranks: of its factors; None for the layer as it is.
        cost: on the device.
        lost: fraction of the variance of its outputs.
    """

    ranks: Ranks | None
    cost: float
    lost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """Ranks of some layers.

    Attributes:
        ranks: by layer; the others stay as they are.
        cost: of all layers that offer something.
        lost: by layer, the fraction of the variance of its outputs.
    """

    ranks: Mapping[str, Ranks]
    cost: float
    lost: Mapping[str, float]


def list_offers(
    factoring: Factoring, calls: Sequence[OpShape], *, price: PriceCalls, align: int
) -> tuple[Offer, ...]:
    """The layer as it is, and every rank at which it costs less.

    Args:
        factoring: of its kernel.
        calls: the op of each call of the layer.
        price: what the layer costs on the device, by the ops of each call.
        align: ranks are multiples of this.
    """
    whole = price([(op,) for op in calls])
    offers = [Offer(ranks=None, cost=whole, lost=0.0)]
    for ranks in _list_ranks(factoring, align):
        cost = price([split_op(op, ranks) for op in calls])
        if cost < whole:
            offers.append(Offer(ranks=ranks, cost=cost, lost=factoring.lost(ranks)))
    return tuple(offers)


def split_op(op: OpShape, ranks: Ranks) -> tuple[OpShape, ...]:
    """The ops that a FULLY_CONNECTED or CONV_2D becomes."""
    assert op.filter is not None
    made, *window, read = op.filter
    ones = (1,) * len(window)
    narrow = replace(op, output=(*op.output[:-1], ranks[-1]), filter=(ranks[-1], *window, read))
    point = replace(op, stride=(1, 1), dilation=(1, 1))
    last = replace(point, inputs=(narrow.output,), filter=(made, *ones, ranks[-1]))
    if len(ranks) == 1:
        return (narrow, last)
    inner = (*op.inputs[0][:-1], ranks[0])
    first = replace(point, output=inner, filter=(ranks[0], *ones, read))
    return (first, replace(narrow, inputs=(inner,), filter=(ranks[-1], *window, ranks[0])), last)


def trade(offers: Mapping[str, Sequence[Offer]]) -> tuple[Trade, ...]:
    """From nothing factorised to everything as far as it goes, each step the best for what it saves.

    Args:
        offers: by layer; each has the layer as it is.
    """
    hulls = {name: find_hull(of_layer) for name, of_layer in offers.items()}
    steps = [
        (_slope(before, after), name, after)
        for name, hull in hulls.items()
        for before, after in pairwise(hull)
    ]
    now = {name: hull[0] for name, hull in hulls.items()}
    trades = [_sum_up(now)]
    for _, name, after in sorted(steps, key=lambda step: step[0]):  # hulls are convex: each layer's in order
        now[name] = after
        trades.append(_sum_up(now))
    return tuple(trades)


def find_hull(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """The offers on the lower convex hull of loss over cost, from the dearest down."""
    hull: list[Offer] = []
    for offer in sorted(offers, key=lambda offer: (-offer.cost, offer.lost)):
        while hull and offer.lost <= hull[-1].lost:
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], offer):
            hull.pop()
        if not hull or offer.cost < hull[-1].cost:
            hull.append(offer)
    return tuple(hull)


def _slope(before: Offer, after: Offer) -> float:
    return (after.lost - before.lost) / (before.cost - after.cost)


def _sum_up(now: Mapping[str, Offer]) -> Trade:
    return Trade(
        ranks={name: offer.ranks for name, offer in now.items() if offer.ranks is not None},
        cost=sum(offer.cost for offer in now.values()),
        lost={name: offer.lost for name, offer in now.items()},
    )


def _list_ranks(factoring: Factoring, align: int) -> Iterator[Ranks]:
    """All ranks of SVD, and, for kernels with a window, pairs of ranks of Tucker-2."""
    made = range(align, factoring.made, align)
    yield from ((rank,) for rank in made)
    if factoring.has_window:
        read = range(align, factoring.read, align)
        yield from product(*(side[:: -(-len(side) // _TUCKER_CHOICES) or 1] for side in (read, made)))
