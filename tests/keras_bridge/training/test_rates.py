"""The range test: rates that were compiled a thousand times too small or too large do not stay."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.rates import HIGHEST, find_harmful_rate, suit_rate
from edgeprune.keras_bridge.training.task import resolve_task
from edgeprune.keras_bridge.training.train import Recovery, Training
from tests.keras_bridge.feeding import prepare


def make_model(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    x = keras.Input((8,))
    y = layers.Dense(32, activation="relu")(layers.Dense(32, activation="relu")(x))
    return keras.Model(x, layers.Dense(3, activation="softmax")(y))


@pytest.fixture(scope="module")
def trained() -> tuple[keras.Model, Training]:
    model = make_model(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 8)).astype(np.float32)
    y = np.argmax(x[:, :3], axis=1)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, verbose=0)
    data = prepare(model, x, y, parts=("train", "test", "val"))
    return model, Training(source=data.train, task=resolve_task(model, data), is_labelled=True)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [(keras.optimizers.Adam, 1e-3, 0.2), (keras.optimizers.SGD, 0.05, HIGHEST)]
)
def test_the_loss_of_a_trained_model_rises_where_the_rate_harms(
    trained: tuple[keras.Model, Training], kind: type, low: float, high: float
) -> None:
    model, training = trained
    before = [np.array(w) for w in model.get_weights()]
    optimizing = Optimizing(kind=kind, learning_rate=1e-7)
    recovery = Recovery(total_steps=1000, batch_size=16, optimizing=optimizing, seed=1)
    found = find_harmful_rate(model, model, training=training, recovery=recovery)
    assert low <= found <= high
    assert found == find_harmful_rate(model, model, training=training, recovery=recovery)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_teacher_that_will_fade_does_not_hide_the_harm(trained: tuple[keras.Model, Training]) -> None:
    model, training = trained
    steady = Recovery(total_steps=1000, batch_size=16, optimizing=Optimizing(), seed=1)
    fading = replace(steady, fading=True)
    rates = [
        find_harmful_rate(model, model, training=training, recovery=recovery) for recovery in (steady, fading)
    ]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("harmful", [1e-3, 2e-3, 2e-2])
def test_a_rate_that_suits_stays(harmful: float) -> None:
    own = Optimizing(learning_rate=1e-3, origin="as compiled")
    assert suit_rate(own, harmful=harmful) is own


@pytest.mark.parametrize("rate", [1e-6, 5e-5, 0.1])
def test_a_rate_that_harms_or_gets_nowhere_is_replaced(rate: float) -> None:
    suited = suit_rate(Optimizing(learning_rate=rate, origin="as compiled"), harmful=2e-3)
    assert suited.learning_rate == 1e-3
    assert suited.describe() == (f"Adam, learning rate 0.001 (found by a range test, {rate:g} as compiled)")
