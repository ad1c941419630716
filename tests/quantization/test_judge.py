"""What is said of a file besides its metrics."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.training.evaluation import Evaluator
from edgeprune.keras_bridge.training.task import resolve_task
from edgeprune.quantization.judge import say_one_answer
from tests.keras_bridge.feeding import hold_arrays, prepare


@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_a_file_that_always_gives_one_answer_is_told(shift: float) -> None:
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.float32)[:, None]
    model, other = (keras.Sequential([keras.Input((4,)), layers.Dense(1)]) for _ in range(2))
    kernel = np.array([[1.0], [0], [0], [0]], np.float32)
    model.set_weights([kernel, np.zeros(1, np.float32)])
    other.set_weights([kernel, np.full(1, shift, np.float32)])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    task = resolve_task(model, prepare(model, (x,), y))
    evaluator = Evaluator(task=task, source=hold_arrays((x,), (y,)))
    said = say_one_answer(convert(other, scheme="none"), model, evaluator)
    assert ("one answer to all 50 test samples, where the model gives 2" in said) == (shift > 0)
