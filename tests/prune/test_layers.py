import numpy as np
import pytest
from graph.test_branches import residual

from edgeprune.graph.branches import bypass, find_branches
from edgeprune.graph.channels import name_channels
from edgeprune.graph.opshape import OpShape
from edgeprune.prune.costs import Costs
from edgeprune.prune.layers import importance_lost, transfer_scores
from edgeprune.prune.limits import Limits


def macs(op: OpShape) -> float:
    return float(op.macs)


def lose(*, budget: float, without: bool) -> float:
    """The residual block: stem 12·16, b1 24·16, b2 24·16, end 8·16 MACs: 1,088 in all, 320 without it."""
    graph = residual()
    return importance_lost(
        graph,
        find_branches(graph) if without else (),
        scores=np.ones(name_channels(graph).groups),
        costs=Costs(per_op={"macs": macs}),
        budgets={"macs": budget},
        limits=Limits(),
    )


def test_channels_alone_lose_what_the_solver_removes() -> None:
    # s of the sum's 4 channels and i of the 6 within take 80 s + 32 s i MACs: two and one go.
    assert lose(budget=500, without=False) == pytest.approx(4 / 3 + 4 / 2 + 6 / 5)


def test_a_branch_that_does_alone_spares_all_channels() -> None:
    assert lose(budget=500, without=True) == 0


def test_channels_that_must_still_go_are_counted() -> None:
    # Stem and end cost 80 a channel: two of the four go.
    assert lose(budget=200, without=True) == pytest.approx(4 / 3 + 4 / 2)


def test_what_cannot_meet_the_budget_loses_everything() -> None:
    assert lose(budget=70, without=True) == np.inf
    # One channel everywhere leaves 48 + 16 + 16 + 32 = 112 MACs; without the block 80 do.
    assert lose(budget=100, without=False) == np.inf
    assert lose(budget=100, without=True) == pytest.approx(4 / 3 + 4 / 2 + 4 / 1)


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
