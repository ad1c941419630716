import numpy as np
import pytest
from graph.test_branches import residual

from edgeprune.graph.branches import Branch, bypass, find_branches
from edgeprune.graph.channels import name_channels
from edgeprune.graph.opshape import OpShape
from edgeprune.prune.layers import Weighed, shortlist_branches, transfer_scores, weigh_branches
from edgeprune.prune.solve import Costs, Limits


def macs(op: OpShape) -> float:
    return float(op.macs)


def weigh(*, price: float, budget: float) -> Weighed:
    """The residual block: stem 12·16, b1 24·16, b2 24·16, end 8·16 MACs: 1,088 in all, 320 without it."""
    graph = residual()
    branches = find_branches(graph)
    channels = name_channels(graph)
    (weighed,) = weigh_branches(
        graph,
        branches,
        prices={branches[0].name: price},
        scores=np.ones(channels.groups),
        costs=Costs(per_op={"macs": macs}),
        budgets={"macs": budget},
        limits=Limits(),
    )
    return weighed


def test_a_branch_that_does_alone_costs_its_own_price() -> None:
    weighed = weigh(price=0.5, budget=500)
    assert weighed.branch.name == "add without b2"
    assert (weighed.channels, weighed.price) == (0, 0.5)


def test_channels_that_must_still_go_are_added() -> None:
    weighed = weigh(price=0.5, budget=200)  # stem and end cost 80 a channel: two of the four go
    assert (weighed.channels, weighed.price) == (2, 2.5)


def test_a_branch_without_which_the_budgets_are_missed_all_the_same_is_worth_nothing() -> None:
    weighed = weigh(price=0.5, budget=70)
    assert weighed.channels == np.inf
    assert shortlist_branches([weighed], count=5) == ()


def test_the_shortlist_holds_the_best_by_either_figure_in_the_order_of_the_graph() -> None:
    branches = [Branch(name=name, layers=(name,), passing={}, nodes=frozenset()) for name in "abcd"]
    figures = {"a": (9.0, 9.0), "b": (1.0, 8.0), "c": (5.0, 6.0), "d": (2.0, 7.0)}
    weighed = [Weighed(branch=b, channels=figures[b.name][0], price=figures[b.name][1]) for b in branches]
    assert [b.name for b in shortlist_branches(weighed, count=1)] == ["b"]
    assert [b.name for b in shortlist_branches(weighed, count=2)] == ["b", "c"]
    assert [b.name for b in shortlist_branches(weighed, count=9)] == ["a", "b", "c", "d"]


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
