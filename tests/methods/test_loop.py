"""The loop's plan: how the reduction is cut into rounds, and what a collapse does to it."""

import numpy as np
import pytest

from edgeprune.methods.channel_step import Pruner
from edgeprune.methods.loop import LEAST_BETWEEN, PRUNING_SHARE, Segment, _shorten, plan_segments
from edgeprune.prune.costs import Costs
from edgeprune.prune.limits import Limits


def pruner(*, dense: float, budget: float) -> Pruner:
    return Pruner(
        criterion="l2",
        limits=Limits(),
        dense={"latency": dense, "flash": 100.0},
        budgets={"latency": budget, "flash": 500.0},
        widths={},
        costs=Costs(per_op={}),
        measure=lambda model: {},
    )


def test_targets_go_from_the_dense_cost_to_the_budget_and_leave_met_budgets_alone() -> None:
    asked = pruner(dense=10.0, budget=4.0)
    assert asked.targets(0.5) == {"latency": 7.0, "flash": 500.0}
    assert asked.targets(1.0) == {"latency": 4.0, "flash": 500.0}


@pytest.mark.parametrize(("budget", "rounds"), [(9.0, 1), (7.5, 2), (5.0, 4), (0.1, 8)])
def test_a_larger_reduction_takes_more_rounds(budget: float, rounds: int) -> None:
    segments = plan_segments(
        pruner(dense=10.0, budget=budget),
        schedule="polynomial_decay",
        total_steps=10_000,
        steps_per_epoch=1_000,
    )
    pruning = [s for s in segments if s.fraction]
    assert len(pruning) == rounds
    assert pruning[-1].fraction == 1.0
    assert sum(s.steps for s in segments) == 10_000
    assert sum(s.steps for s in pruning) <= PRUNING_SHARE * 10_000


@pytest.mark.parametrize(("total", "rounds"), [(40, 1), (2_000, 1), (3_600, 2), (8_000, 6), (100_000, 6)])
def test_there_are_no_more_rounds_than_statistics_can_follow(total: int, rounds: int) -> None:
    segments = plan_segments(
        pruner(dense=9.0, budget=3.0), schedule="polynomial_decay", total_steps=total, steps_per_epoch=100
    )
    pruning = [s for s in segments if s.fraction]
    assert len(pruning) == rounds
    assert pruning[-1].fraction == 1.0
    assert all(s.steps >= LEAST_BETWEEN for s in pruning) or len(pruning) == 1


def test_constant_sparsity_prunes_once() -> None:
    segments = plan_segments(
        pruner(dense=10.0, budget=2.0), schedule="constant_sparsity", total_steps=100, steps_per_epoch=40
    )
    assert [s.fraction for s in segments if s.fraction] == [1.0]


def test_steps_that_a_collapse_costs_are_taken_from_the_end() -> None:
    segments = (
        Segment(fraction=1.0, steps=10),
        Segment(fraction=0.0, steps=30),
        Segment(fraction=0.0, steps=5),
    )
    assert _shorten(segments, 12) == (Segment(fraction=1.0, steps=10), Segment(fraction=0.0, steps=23))
    assert np.sum([s.steps for s in _shorten(segments, 1000)]) == 1


@pytest.mark.parametrize(("is_open", "steps"), [(False, [40, 40, 20]), (True, [100])])
def test_where_nothing_is_over_its_budget_there_is_only_fine_tuning(is_open: bool, steps: list[int]) -> None:
    segments = plan_segments(
        pruner(dense=10.0, budget=20.0),
        schedule="polynomial_decay",
        total_steps=100,
        steps_per_epoch=40,
        is_open=is_open,
    )
    assert [segment.fraction for segment in segments] == [0.0] * len(steps)
    assert [segment.steps for segment in segments] == steps
