"""What the books say after every change is what the plan costs when it is worked out anew."""

import numpy as np
import pytest
from prune.priced_graphs import chain, long_chain, macs, tangled, weights

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.liveness import peak_activation_bytes
from edgeprune.graph.lower import Lowering
from edgeprune.graph.surgery import Kept, resize_shapes
from edgeprune.prune.costs import Costs
from edgeprune.prune.families import cut_blocks
from edgeprune.prune.ledger import Ledger
from edgeprune.prune.limits import Limits

COSTS = Costs(
    per_op={"latency": macs, "flash": weights}, peak="ram", factors={"latency": 0.5}, offsets={"flash": 100.0}
)


def open_ledger(graph: LayerGraph, channels: ChannelMap, *, round_to: int = 1, **budgets: float) -> Ledger:
    scores = np.arange(channels.groups, dtype=float)
    blocks = cut_blocks(channels, scores, limits=Limits(round_to=round_to))
    return Ledger(graph, channels, costs=COSTS, budgets=budgets, blocks=blocks)


def price(graph: LayerGraph, channels: ChannelMap, kept: Kept) -> dict[str, float]:
    """The costs of a plan, from nothing but the plan."""
    ops = Lowering(graph, channels).lower(kept)
    peak = peak_activation_bytes(graph, resize_shapes(graph, channels, kept=kept))
    return {"latency": 0.5 * sum(map(macs, ops)), "flash": 100 + sum(map(weights, ops)), "ram": peak}


def family_of(channels: ChannelMap, tensor: str) -> int:
    return int(channels.family[channels.tensors[tensor][0]])


@pytest.mark.parametrize("seed", range(5))
def test_after_any_changes_the_books_are_those_of_the_plan(seed: int) -> None:
    graph = tangled()
    channels = name_channels(graph)
    dense = price(graph, channels, channels.everything)
    budgets = {"latency": 0.4 * dense["latency"], "flash": 0.5 * dense["flash"], "ram": 0.6 * dense["ram"]}
    ledger = open_ledger(graph, channels, round_to=2, **budgets)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        family = int(rng.choice(list(ledger.gone)))
        ledger.move({family: int(rng.integers(0, ledger.count_blocks(family) + 1))})
        now = price(graph, channels, ledger.kept)
        assert ledger.costs() == pytest.approx(now)
        excess = ledger.excess()
        assert set(excess) == {name for name, limit in budgets.items() if now[name] > limit}
        for other, gone in dict(ledger.gone).items():
            if ledger.next_block(other):
                relief = ledger.relief(other, excess)
                ledger.move({other: gone + 1})
                after = ledger.excess()
                ledger.move({other: gone})
                parts = [(over - after.get(name, 0.0)) / over for name, over in excess.items()]
                assert relief == pytest.approx(sum(parts))
            if ledger.last_block(other) and not excess:
                fits = ledger.may_fit_back(other)
                ledger.move({other: gone - 1})
                assert fits == (not ledger.excess())
                ledger.move({other: gone})


def test_a_block_that_comes_back_is_the_one_that_went_last() -> None:
    graph, channels = chain()
    ledger = open_ledger(graph, channels, round_to=4)
    a = family_of(channels, "a")
    first = ledger.next_block(a)
    assert ledger.last_block(a) is None
    ledger.move({a: 1})
    assert ledger.next_block(a) is None  # one block of four must stay
    assert ledger.last_block(a) is first
    assert np.count_nonzero(~ledger.kept) == 4
    ledger.move({a: 0})
    assert ledger.next_block(a) is first
    assert ledger.kept.all()


def test_a_family_that_lost_a_block_makes_its_neighbours_blocks_save_less() -> None:
    """Of 16·(2a + ab + 3b) MACs at half a ms, a channel of b saves 8·(8 + 3), then 8·(7 + 3)."""
    graph, channels = chain()
    ledger = open_ledger(graph, channels, latency=0.0)
    a, b = family_of(channels, "a"), family_of(channels, "b")
    whole = {"latency": 1000.0}
    assert ledger.relief(b, whole) == 8 * (8 + 3) / 1000
    ledger.move({a: 1})
    assert ledger.relief(b, whole) == 8 * (7 + 3) / 1000
    ledger.move({a: 0})
    assert ledger.relief(b, whole) == 8 * (8 + 3) / 1000


def test_what_a_block_saves_beyond_the_excess_counts_nothing() -> None:
    """A channel of b saves 88 ms and 11 weights; 44 ms and 110 weights are too much: 1 + 0.1, not 2 + 0.1."""
    graph, channels = chain()
    ledger = open_ledger(graph, channels, latency=0.0, flash=0.0)
    assert ledger.relief(family_of(channels, "b"), {"latency": 44.0, "flash": 110.0}) == 1 + 0.1


def test_a_block_at_one_of_two_peaks_relieves_half() -> None:
    """a and b, b and c need 16·16 bytes at once, 64 too much each: two channels less of a leave 32 + 64."""
    graph, channels = long_chain(3, width=8)
    ledger = open_ledger(graph, channels, round_to=2, ram=16 * 12)
    assert ledger.excess() == {"ram": 64 + 64}
    assert ledger.relief(family_of(channels, "layer0"), ledger.excess()) == 32 / 128
    assert ledger.relief(family_of(channels, "layer1"), ledger.excess()) == 64 / 128
