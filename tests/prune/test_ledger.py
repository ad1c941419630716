"""What the books say after every change is what the plan costs when it is worked out anew."""

import numpy as np
import pytest
from prune.priced_graphs import chain, macs, tangled, weights

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


def open_ledger(graph: LayerGraph, channels: ChannelMap, *, round_to: int = 1) -> Ledger:
    blocks = cut_blocks(channels, np.arange(channels.groups, dtype=float), limits=Limits(round_to=round_to))
    return Ledger(graph, channels, costs=COSTS, blocks=blocks)


def price(graph: LayerGraph, channels: ChannelMap, kept: Kept) -> dict[str, float]:
    """The costs of a plan, from nothing but the plan."""
    ops = Lowering(graph, channels).lower(kept)
    peak = peak_activation_bytes(graph, resize_shapes(graph, channels, kept=kept))
    return {"latency": 0.5 * sum(map(macs, ops)), "flash": 100 + sum(map(weights, ops)), "ram": peak}


@pytest.mark.parametrize("seed", range(5))
def test_costs_and_savings_after_any_changes_are_those_of_the_plan(seed: int) -> None:
    graph = tangled()
    channels = name_channels(graph)
    ledger, rng = open_ledger(graph, channels, round_to=2), np.random.default_rng(seed)
    for _ in range(40):
        family = int(rng.choice(list(ledger.gone)))
        if ledger.gone[family] and rng.random() < 0.4:
            ledger.put_back(family)
        elif ledger.next_block(family):
            ledger.remove(family)
        now = price(graph, channels, ledger.kept)
        assert ledger.costs() == pytest.approx(now)
        for other in ledger.gone:
            if (block := ledger.next_block(other)) is None:
                continue
            after = ledger.kept.copy()
            after[block.groups] = False
            falls = {name: now[name] - cost for name, cost in price(graph, channels, after).items()}
            assert ledger.savings(other, of=now) == pytest.approx(falls)


def test_a_block_that_comes_back_is_the_one_that_went_last() -> None:
    graph, channels = chain()
    ledger = open_ledger(graph, channels, round_to=4)
    (a,) = channels.family[channels.tensors["a"][:1]].tolist()
    first = ledger.next_block(a)
    ledger.remove(a)
    assert ledger.next_block(a) is None  # one block of four must stay
    assert ledger.last_block(a) is first
    assert np.count_nonzero(~ledger.kept) == 4
    ledger.put_back(a)
    assert ledger.next_block(a) is first
    assert ledger.kept.all()


def test_a_family_that_lost_a_block_makes_its_neighbours_blocks_save_less() -> None:
    """Of 16·(2a + ab + 3b) MACs at half a ms, a channel of b saves 8·(8 + 3), then 8·(7 + 3)."""
    graph, channels = chain()
    ledger = open_ledger(graph, channels)
    a, b = (int(channels.family[channels.tensors[t][0]]) for t in "ab")
    assert ledger.savings(b, of=["latency"])["latency"] == 8 * (8 + 3)
    ledger.remove(a)
    assert ledger.savings(b, of=["latency"])["latency"] == 8 * (7 + 3)
    ledger.put_back(a)
    assert ledger.savings(b, of=["latency"])["latency"] == 8 * (8 + 3)
