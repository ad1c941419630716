"""Which ranks are taken first, and what the factors of an op cost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.graph.opshape import OpShape
from edgeprune.prune.factors import Factoring
from edgeprune.prune.ranks import Offer, find_hull, list_offers, split_op, trade

DENSE = OpShape(op="FULLY_CONNECTED", inputs=((1, 32),), output=(1, 16), filter=(16, 32))
CONV = OpShape(
    op="CONV_2D",
    inputs=((1, 8, 8, 16),),
    output=(1, 4, 4, 32),
    filter=(32, 3, 3, 16),
    stride=(2, 2),
    padding="SAME",
)


def weights(calls: list[tuple[OpShape, ...]]) -> float:
    return float(sum(op.weight_count for op in calls[0]))


def test_a_dense_op_becomes_two() -> None:
    narrow, last = split_op(DENSE, (4,))
    assert (narrow.filter, narrow.output) == ((4, 32), (1, 4))
    assert (last.filter, last.inputs, last.output) == ((16, 4), ((1, 4),), (1, 16))


def test_a_convolution_keeps_its_window_and_strides_in_one_of_them() -> None:
    narrow, last = split_op(CONV, (8,))
    assert (narrow.filter, narrow.output, narrow.stride) == ((8, 3, 3, 16), (1, 4, 4, 8), (2, 2))
    assert (last.filter, last.inputs, last.stride) == ((32, 1, 1, 8), ((1, 4, 4, 8),), (1, 1))


def test_tucker_reads_all_positions_before_the_window_does() -> None:
    first, core, last = split_op(CONV, (4, 8))
    assert (first.filter, first.output, first.stride) == ((4, 1, 1, 16), (1, 8, 8, 4), (1, 1))
    assert (core.filter, core.inputs, core.output) == ((8, 3, 3, 4), ((1, 8, 8, 4),), (1, 4, 4, 8))
    assert (last.filter, last.output) == ((32, 1, 1, 8), CONV.output)
    macs = 64 * 4 * 16 + 16 * 8 * 9 * 4 + 16 * 32 * 8
    assert sum(op.macs for op in (first, core, last)) == macs


def test_only_ranks_that_cost_less_are_offered_in_the_steps_of_the_device() -> None:
    factoring = Factoring(np.random.default_rng(0).normal(size=(32, 16)))
    offers = list_offers(factoring, [DENSE], price=weights, align=4)
    assert [(offer.ranks, offer.cost) for offer in offers] == [(None, 512), ((4,), 192), ((8,), 384)]
    assert 0 == offers[0].lost < offers[2].lost < offers[1].lost < 1


def test_what_saves_most_for_what_it_loses_comes_first() -> None:
    offers = {
        "plain": [Offer(ranks=None, cost=10, lost=0), Offer(ranks=(2,), cost=5, lost=0.5)],
        "redundant": [
            Offer(ranks=None, cost=10, lost=0),
            Offer(ranks=(8,), cost=8, lost=0.01),
            Offer(ranks=(4,), cost=4, lost=0.1),
        ],
    }
    trades = trade(offers)
    assert [dict(found.ranks) for found in trades] == [
        {},
        {"redundant": (8,)},
        {"redundant": (4,)},
        {"redundant": (4,), "plain": (2,)},
    ]
    assert [found.cost for found in trades] == [20, 18, 14, 9]
    assert trades[-1].lost == {"plain": 0.5, "redundant": 0.1}


def test_nothing_to_factorise_is_one_trade_of_nothing() -> None:
    (found,) = trade({})
    assert (dict(found.ranks), found.cost) == ({}, 0)


OFFERS = st.lists(st.tuples(st.floats(0, 9), st.floats(0.01, 1)), max_size=12)


@settings(deadline=None, derandomize=True)
@given(OFFERS)
def test_the_hull_is_convex_and_nothing_lies_below_it(found: list[tuple[float, float]]) -> None:
    offers = [Offer(ranks=None, cost=10.0, lost=0.0)]
    offers += [Offer(ranks=(i,), cost=cost, lost=lost) for i, (cost, lost) in enumerate(found)]
    hull = find_hull(offers)
    assert hull[0].ranks is None
    costs, losses = [offer.cost for offer in hull], [offer.lost for offer in hull]
    assert costs == sorted(costs, reverse=True)
    assert losses == sorted(losses)
    for offer in offers:
        if offer.cost >= costs[-1]:
            assert offer.lost >= np.interp(offer.cost, costs[::-1], losses[::-1]) - 1e-9


@pytest.mark.parametrize("ranks", [(4,), (4, 8)])
def test_padding_and_dilation_stay_with_the_window(ranks: tuple[int, ...]) -> None:
    ops = split_op(replace(CONV, dilation=(2, 2)), ranks)
    assert [op.dilation for op in ops if op.filter and op.filter[1] == 3] == [(2, 2)]
    assert {op.dilation for op in ops if op.filter and op.filter[1] == 1} == {(1, 1)}
