import numpy as np
import pytest
from graph.test_branches import residual

from edgeprune.graph.branches import bypass, find_branches
from edgeprune.graph.channels import name_channels
from edgeprune.graph.opshape import OpShape
from edgeprune.prune.layers import Choice, choose_branches, transfer_scores
from edgeprune.prune.solve import Costs, Limits


def macs(op: OpShape) -> float:
    return float(op.macs)


def choose(*, price: float, budget: float) -> Choice:
    """The residual block: stem 12·16, b1 24·16, b2 24·16, end 8·16 MACs: 1,088 in all, 320 without it."""
    graph = residual()
    branches = find_branches(graph)
    channels = name_channels(graph)
    return choose_branches(
        graph,
        branches,
        prices={branches[0].name: price},
        scores=np.ones(channels.groups),
        costs=Costs(per_op={"macs": macs}),
        budgets={"macs": budget},
        limits=Limits(),
    )


def test_a_branch_goes_where_it_is_cheaper_than_the_channels_it_saves() -> None:
    cheap = choose(price=0.5, budget=500)
    assert [branch.name for branch in cheap.branches] == ["add without b2"]
    assert cheap.price == 0.5
    assert cheap.price_of_channels == 3  # one channel of the sum is left: 48 + 96 + 96 + 32 MACs


def test_a_branch_stays_where_channels_are_cheaper() -> None:
    dear = choose(price=50, budget=500)
    assert dear.branches == ()
    assert dear.price == dear.price_of_channels


def test_a_branch_goes_where_channels_alone_cannot_meet_the_budget() -> None:
    # One channel everywhere leaves 48 + 16 + 16 + 32 = 112 MACs; without the block 80 do.
    forced = choose(price=50, budget=100)
    assert forced.price_of_channels == np.inf
    assert [branch.name for branch in forced.branches] == ["add without b2"]


def test_nothing_goes_where_nothing_is_exceeded() -> None:
    assert choose(price=1e-6, budget=2000).branches == ()


def test_scores_move_to_the_channels_that_remain() -> None:
    graph = residual(shortcut=True)
    old = name_channels(graph)
    scores = np.zeros(old.groups)
    scores[old.tensors["stem"]] = [1, 2, 3, 4]
    scores[old.tensors["p"]] = [10, 20, 30, 40]
    branches = {branch.name: branch for branch in find_branches(graph)}
    smaller = bypass(graph, [branches["p"]])  # stem is added itself now: its channels are tied to the sum's
    new = name_channels(smaller)
    moved = transfer_scores(scores, old, new)
    assert moved[new.tensors["stem"]].tolist() == pytest.approx([11, 22, 33, 44])
