import keras
import numpy as np
from keras import layers

from edgeprune.keras_bridge.data.calibrated_layers import find_scale


class Never(layers.Layer):
    """A layer that must not be reached."""

    is_armed = False

    def call(self, inputs):
        assert not self.is_armed, "what comes after the layer that told need not be computed"
        return inputs


def test_the_first_layer_that_can_tell_ends_the_run():
    image = keras.Input((8, 8, 3))
    h = layers.BatchNormalization(name="never_trained")(image)
    h = layers.BatchNormalization(name="trained")(layers.Conv2D(4, 1)(h))
    never = Never()
    model = keras.Model(image, layers.BatchNormalization(name="later")(never(h)))
    for name in ("trained", "later"):
        model.get_layer(name).moving_variance.assign(np.full(4, 100.0))
    never.is_armed = True
    name, ratio = find_scale(model, [np.random.default_rng(0).random((10, 8, 8, 3))])
    assert name == "trained"
    assert ratio > 10
    never.is_armed = False
    nested = keras.Sequential([keras.Input((8, 8, 3)), model])
    never.is_armed = True
    assert find_scale(nested, [np.ones((10, 8, 8, 3)) * np.arange(10)[:, None, None, None]])[0] == "trained"


def test_layers_that_were_never_trained_cannot_tell():
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(), layers.Dense(2)])
    assert find_scale(model, [np.ones((10, 4))]) == ("", None)
