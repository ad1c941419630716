"""What is traced for conversion draws nothing and assigns nothing; what cannot be so is named."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.conversion.stateless import without_state
from edgeprune.runtimes.litert_host import run_litert


def samples(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(12, *shape)).astype(np.float32)


RANDOM: dict[str, Callable[[], Any]] = {
    "Dropout": lambda: layers.Dropout(0.5),
    "SpatialDropout2D": lambda: layers.SpatialDropout2D(0.5),
    "GaussianNoise": lambda: layers.GaussianNoise(0.5),
    "GaussianDropout": lambda: layers.GaussianDropout(0.5),
    "AlphaDropout": lambda: layers.AlphaDropout(0.5),
    "RandomFlip": lambda: layers.RandomFlip(),
    "RandomRotation": lambda: layers.RandomRotation(0.5),
    "RandomContrast": lambda: layers.RandomContrast(0.5),
    "SpectralNormalization": lambda: layers.SpectralNormalization(layers.Conv2D(3, 1)),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("scheme", ["none", "int8"])
def test_layers_that_are_random_in_training_convert(name: str, scheme: str) -> None:
    image = keras.Input((6, 6, 3))
    model = keras.Model(image, layers.Conv2D(2, 3)(RANDOM[name]()(image)))
    x = samples(6, 6, 3)
    expected = np.asarray(model(x, training=False))
    found = run_litert(convert(model, scheme=scheme, representative=[x]), [x]).outputs[0].values
    assert np.abs(found - expected).max() < (1e-5 if scheme == "none" else 0.05) * np.ptp(expected)


def test_cells_have_their_dropout_again_after_the_conversion_even_if_it_fails() -> None:
    steps = keras.Input((4, 3))
    layer = layers.GRU(2, dropout=0.3, recurrent_dropout=0.2)
    model = keras.Model(steps, layer(steps))

    def fail() -> None:
        with without_state(model):
            assert (layer.cell.dropout, layer.cell.recurrent_dropout) == (0, 0)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert (layer.cell.dropout, layer.cell.recurrent_dropout) == (0.3, 0.2)
    assert layer.get_config()["dropout"] == 0.3


@pytest.mark.parametrize(
    "layer",
    [
        layers.LSTM(3, stateful=True, name="memory"),
        layers.GRU(3, stateful=True, name="memory"),
        layers.Bidirectional(layers.SimpleRNN(3, stateful=True), name="memory"),
        layers.RNN(layers.LSTMCell(3), stateful=True, name="memory"),
    ],
)
def test_a_stateful_layer_is_named_with_what_to_do(layer: Any) -> None:
    steps = keras.Input((4, 3), batch_size=1)
    with pytest.raises(ModelError, match=r"layer 'memory' \(\w+\) is stateful .* set stateful=False"):
        convert(keras.Model(steps, layer(steps)), scheme="none")


class Counter(layers.Layer):
    """Adds the number of calls so far."""

    def build(self, shape: Any) -> None:
        self.count = self.add_weight(name="count", initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x + self.count


@pytest.mark.parametrize("end", [layers.GRU, layers.LSTM])
def test_a_variable_that_inference_changes_is_named(end: Any) -> None:
    steps = keras.Input((4, 3))
    model = keras.Model(steps, end(2)(Counter(name="counter")(steps)))
    with pytest.raises(ModelError, match="inference changes the variable 'counter/count'"):
        convert(model, scheme="none")
