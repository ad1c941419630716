"""What is no better than always giving the commonest answer."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.training.chance import (
    PATIENCE_STEPS,
    ChanceWatch,
    find_chance,
    is_at_chance,
    say_chance,
    watch_chance,
)
from edgeprune.keras_bridge.training.evaluation import Evaluator, make_evaluator
from edgeprune.keras_bridge.training.task import resolve_task
from tests.keras_bridge.feeding import hold_arrays, prepare


def evaluate(
    units: int, activation: str | None, labels: Any, *, loss: Any = None, metrics: Any = None
) -> Evaluator:
    y = np.asarray(labels)
    x = np.zeros((len(y), 2), np.float32)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(units, activation=activation)])
    if loss is not None:
        model.compile(loss=loss, metrics=metrics)
    task = resolve_task(model, prepare(model, x, y))
    return make_evaluator(task, model, source=hold_arrays(x, y))


QUARTER = [0] * 75 + [1] * 25


@pytest.mark.parametrize(
    ("units", "activation", "labels"),
    [
        (2, "softmax", QUARTER),
        (2, "softmax", np.eye(2)[QUARTER]),
        (1, "sigmoid", QUARTER),
        (1, "sigmoid", np.reshape(QUARTER, (100, 1))),
    ],
)
def test_chance_is_the_commonest_answer_and_two_standard_deviations(
    units: int, activation: str, labels: Any
) -> None:
    # 0.75 + 2 √(0.75 · 0.25 / 100)
    assert find_chance(evaluate(units, activation, labels)) == pytest.approx(0.75 + 0.0866025, rel=1e-5)


def test_a_compiled_binary_accuracy_has_a_chance_too() -> None:
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    assert find_chance(evaluate(1, None, QUARTER, loss=logits, metrics=["accuracy"])) == pytest.approx(
        0.8366, rel=1e-3
    )


@pytest.mark.parametrize(("metrics", "share"), [(["accuracy"], 0.075), (None, 0.75)])
def test_labels_that_do_not_count_are_counted_as_the_metric_does(metrics: Any, share: float) -> None:
    # Keras's accuracy knows nothing of the loss's ignore_class: whatever is answered there is wrong.
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    labels = [*QUARTER, *[255] * 900]
    evaluator = evaluate(2, "softmax", labels, loss=loss, metrics=metrics)
    assert find_chance(evaluator) == pytest.approx(share + 2 * np.sqrt(share * (1 - share) / 100), rel=1e-4)


@pytest.mark.parametrize(
    ("units", "activation", "labels", "loss"),
    [
        (1, None, np.linspace(0, 1, 100), "mse"),
        (3, "sigmoid", np.eye(3)[[0, 1, 2, 0]] + np.eye(3)[[1, 2, 0, 1]], "binary_crossentropy"),
    ],
)
def test_other_metrics_and_several_answers_have_none(
    units: int, activation: str | None, labels: Any, loss: str
) -> None:
    evaluator = evaluate(units, activation, labels, loss=loss)
    assert find_chance(evaluator) is None
    assert not is_at_chance(0.0, limit=None)


def test_a_student_that_stays_at_chance_is_stuck_after_thirty_steps() -> None:
    watch = watch_chance(evaluate(2, "softmax", QUARTER), reference=0.99)
    for _ in range(PATIENCE_STEPS - 1):
        watch = watch.after(1, score=0.75)
        assert not watch.is_stuck
    watch = watch.after(1, score=0.25)
    assert watch.is_stuck
    assert "After 30 steps of recovery the pruned model's validation accuracy of 0.2500" in watch.say(0.25)


def test_one_score_above_chance_starts_the_count_again() -> None:
    watch = watch_chance(evaluate(2, "softmax", QUARTER), reference=0.99)
    watch = watch.after(29, score=0.8).after(10, score=0.9).after(29, score=0.8)
    assert (watch.steps, watch.is_stuck) == (29, False)


def test_a_score_that_is_no_number_is_at_chance() -> None:
    assert is_at_chance(float("nan"), limit=0.1)


def test_where_the_original_is_at_chance_students_are_not_judged() -> None:
    watch = watch_chance(evaluate(2, "softmax", QUARTER), reference=0.75)
    assert watch == ChanceWatch(metric="accuracy", limit=None)
    assert not watch.after(1000, score=0.0).is_stuck


def test_an_original_at_chance_is_told() -> None:
    evaluator = evaluate(2, "softmax", QUARTER)
    constant = keras.Sequential([keras.Input((2,)), layers.Dense(2, activation="softmax")])
    constant.set_weights([np.zeros((2, 2)), np.array([1.0, 0.0])])
    assert "accuracy of 0.7500 is no better than" in say_chance(
        evaluator, score=evaluator.score_model(constant)
    )
