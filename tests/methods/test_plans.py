"""Plans compete: what they keep to, how the winner is found, and that the loop follows it."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import pytest
from e2e.conftest import DIGITS
from keras import layers

from edgeprune.build.artefact import make_artefact
from edgeprune.build.job import make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.keras_bridge.training.trainer import Trainer
from edgeprune.methods.channel_step import Pruner, solve_gently
from edgeprune.methods.channels import _make_pruner
from edgeprune.methods.layers import find_removable
from edgeprune.methods.method import Asked
from edgeprune.methods.plans import (
    ALONE,
    DOUBLINGS_OF_LAYERS,
    LENIENCE,
    MOST_DOUBLINGS,
    TRIAL_SHARE,
    WIDTHS_SHARE,
    PlanChoice,
    _draw_widths,
    _open_way,
    _Plan,
    _share_steps,
    _Trial,
    _Way,
    choose_plan,
)
from edgeprune.progress import Silent
from edgeprune.prune.families import count_kept
from edgeprune.report.sections.plans import PlanPart

EPOCHS = 60


def block(x: keras.KerasTensor) -> keras.KerasTensor:
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(x)))
    y = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(y))
    return layers.ReLU()(layers.Add()([x, y]))


@pytest.fixture(scope="module")
def narrowed() -> tuple[Asked, Trainer, Pruner]:
    """A residual classifier of digits, to be pruned to two fifths of its latency."""
    fix_seeds(0)
    image = keras.Input((8, 8, 1))
    x = block(block(layers.Conv2D(16, 3, padding="same", activation="relu")(image)))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    with np.load(DIGITS) as digits:
        model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=4, verbose=0)
    return ask_for(model, share=0.4, epochs=EPOCHS)


def ask_for(model: keras.Model, *, share: float, epochs: int) -> tuple[Asked, Trainer, Pruner]:
    """What a build for a share of a model's latency asks for."""
    request = BuildRequest(model=model, device="cortex-m7", data=str(DIGITS), epochs=epochs, round_to=1)
    job = open_job(request, progress=Silent())
    dense = make_artefact(job.inputs.model, job)
    limit = share * (dense.figures["latency_ms"].value or 0.0)
    job = open_job(replace(request, latency_ms=limit), inputs=job.inputs, progress=Silent())
    trainer = make_trainer(job, progress=Silent())
    start, _ = find_start(job, dense, trainer=trainer)
    asked = ask_methods(job, start=start)
    return asked, trainer, replace(_make_pruner(asked), evaluator=trainer.evaluator)


def open_alone(narrowed: tuple[Asked, Trainer, Pruner]) -> _Way:
    asked, trainer, pruner = narrowed
    model = asked.start.model
    return _open_way(model, trace(model), (), pruner=pruner, trainer=trainer)


def solve(way: _Way, chosen: Mapping[str, int], budgets: Mapping[str, float]) -> Mapping[str, int]:
    solution = solve_gently(
        way.traced.graph,
        way.channels,
        scores=way.scores,
        costs=way.pruner.costs,
        targets=budgets,
        pruner=replace(way.pruner, chosen=chosen),
    )
    return count_kept(way.channels, solution.kept)


def kept_of(plan: _Plan) -> Kept:
    assert plan.kept is not None
    return plan.kept


def list_widths(plan: _Plan) -> tuple[int, ...]:
    return tuple(count_kept(plan.way.channels, kept_of(plan)).values())


def test_varied_plans_have_other_widths_and_keep_to_the_budgets(
    narrowed: tuple[Asked, Trainer, Pruner],
) -> None:
    asked, trainer, pruner = narrowed
    way = open_alone(narrowed)
    plans = _draw_widths(way)
    widths = [list_widths(plan) for plan in plans]
    assert len(plans) > 1
    assert len(set(widths)) == len(widths)
    for plan in plans:
        cost = pruner.measure(way.carry_out(kept_of(plan), trainer=trainer))
        assert cost["latency"] <= 1.01 * asked.budgets["latency"]


def test_more_even_plans_are_more_even(narrowed: tuple[Asked, Trainer, Pruner]) -> None:
    found = {plan.name: np.std(list_widths(plan)) for plan in _draw_widths(open_alone(narrowed))}
    names = [f"{ALONE}, {how}" for how in ("more even", "as scored")]
    spreads = [found[name] for name in names if name in found]
    assert len(spreads) > 1
    assert spreads == sorted(spreads)


def test_the_solver_keeps_to_chosen_widths_as_long_as_targets_allow(
    narrowed: tuple[Asked, Trainer, Pruner],
) -> None:
    asked, _, _ = narrowed
    way = open_alone(narrowed)
    own, other, *_ = _draw_widths(way)
    chosen = count_kept(way.channels, kept_of(other))
    assert chosen != count_kept(way.channels, kept_of(own))
    assert solve(way, chosen, asked.budgets) == chosen
    beyond = {**asked.budgets, "latency": 0.6 * asked.budgets["latency"]}
    assert any(solve(way, chosen, beyond)[name] < width for name, width in chosen.items())


@pytest.mark.parametrize(
    ("total", "steps"), [(1_800, 0), (2_100, 36), (2_500, 40), (4_500, 40), (8_000, 48), (10_000, 60)]
)
def test_trials_of_a_short_build_take_a_larger_share(total: int, steps: int) -> None:
    assert _share_steps(4, total) == steps


@pytest.fixture(scope="module")
def choice(narrowed: tuple[Asked, Trainer, Pruner]) -> PlanChoice:
    asked, trainer, pruner = narrowed
    removable = find_removable(asked.start.model, limits=asked.limits)
    return choose_plan(asked.start.model, removable, pruner=pruner, trainer=trainer)


def test_what_won_is_what_is_foreseen_to_come_nearest(
    choice: PlanChoice, narrowed: tuple[Asked, Trainer, Pruner]
) -> None:
    _, trainer, _ = narrowed
    total = trainer.plan_recovery().total_steps
    tried = [plan for plan in choice.plans if not is_of_widths(plan)]
    assert tried[0]["name"] == ALONE
    assert len(tried) > 1
    assert sum(plan["steps"] for plan in tried) <= 3 * TRIAL_SHARE * total
    longest = max(plan["steps"] for plan in tried)
    finalists = [plan for plan in tried if plan["steps"] == longest]
    assert len(finalists) == 2
    assert tried[0] in finalists
    (won,) = (plan for plan in tried if plan["taken"])
    assert won in finalists
    other = next(plan for plan in finalists if plan is not won)
    lenience = 1 - LENIENCE if won["name"] != ALONE else 1 / (1 - LENIENCE)
    assert won["foreseen"] * lenience <= other["foreseen"]
    assert max(plan["trained"] for plan in tried if plan not in finalists) > finalists[1]["trained"]
    assert bool(choice.branches) == (won["name"] != ALONE) == bool(choice.note)
    for plan in tried:
        assert plan["untrained"] > plan["trained"]
        assert (plan["foreseen"] is None) == (plan not in finalists)


def test_widths_are_compared(narrowed: tuple[Asked, Trainer, Pruner]) -> None:
    asked, trainer, pruner = narrowed
    choice = choose_plan(asked.start.model, (), pruner=pruner, trainer=trainer)
    assert len(choice.plans) > 1
    assert all(is_of_widths(plan) for plan in choice.plans)
    assert choice.steps == sum(plan["steps"] for plan in choice.plans)
    assert choice.steps <= WIDTHS_SHARE * trainer.plan_recovery().total_steps
    (won,) = (plan for plan in choice.plans if plan["taken"])
    assert won["foreseen"] == min(plan["foreseen"] for plan in choice.plans)
    assert bool(choice.widths) == ("even" in won["name"])


def is_of_widths(plan: PlanPart) -> bool:
    return plan["name"].endswith(("as scored", "even"))


def test_choosing_again_chooses_the_same(choice: PlanChoice, narrowed: tuple[Asked, Trainer, Pruner]) -> None:
    asked, trainer, pruner = narrowed
    removable = find_removable(asked.start.model, limits=asked.limits)
    assert choose_plan(asked.start.model, removable, pruner=pruner, trainer=trainer) == choice


def test_with_few_steps_nothing_is_tried(narrowed: tuple[Asked, Trainer, Pruner]) -> None:
    asked, trainer, pruner = narrowed
    removable = find_removable(asked.start.model, limits=asked.limits)
    few = trainer.for_epochs(1)
    assert choose_plan(asked.start.model, removable, pruner=pruner, trainer=few) == PlanChoice()


@pytest.mark.parametrize(
    ("far", "total", "foreseen"),
    [
        ([(0, 8.0), (10, 4.0), (20, 2.0)], 80, 0.5),  # narrowed by each of two more doublings
        ([(0, 64.0), (10, 32.0), (20, 16.0)], 20 * 2**9, 1.0),  # no more than four are foreseen
        ([(0, 8.0), (10, 2.0), (20, 2.0)], 80, 2.0),
        ([(0, 8.0), (10, 2.0), (20, 3.0)], 80, 3.0),
        ([(0, 0.0), (10, 0.0), (20, 0.0)], 80, 0.0),
        ([], 80, float("inf")),
    ],
)
def test_what_is_foreseen_is_the_last_gain_at_every_doubling(
    far: list[tuple[int, float]], total: int, foreseen: float, narrowed: tuple[Asked, Trainer, Pruner]
) -> None:
    plan = _draw_widths(open_alone(narrowed))[0]
    trial = _Trial(plan=plan, doublings=MOST_DOUBLINGS, trained=None, far=far)
    assert trial.foresee(total) == pytest.approx(foreseen)


def test_of_what_lost_a_layer_one_doubling_is_foreseen(narrowed: tuple[Asked, Trainer, Pruner]) -> None:
    plan = _draw_widths(open_alone(narrowed))[0]
    slow = _Trial(
        plan=plan, doublings=DOUBLINGS_OF_LAYERS, trained=None, far=[(0, 7.1), (160, 1.52), (320, 1.28)]
    )
    fast = _Trial(
        plan=plan, doublings=DOUBLINGS_OF_LAYERS, trained=None, far=[(0, 12.4), (160, 3.07), (320, 1.98)]
    )
    assert slow.foresee(9000) == pytest.approx(1.08, abs=0.01)
    assert fast.foresee(9000) == pytest.approx(1.28, abs=0.01)
