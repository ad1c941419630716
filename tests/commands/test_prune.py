"""`edgeprune prune` keeps what a model says of itself."""

import keras
import numpy as np
from keras import layers

from edgeprune import api


def test_inputs_that_were_open_stay_open() -> None:
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="wide")(inputs)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", name="end")(x))
    pruned = api.prune(model, ratio=0.5, scope="local").model
    assert pruned.input_shape == (None, None, None, 1)
    assert pruned.get_layer("wide").kernel.shape == (3, 3, 1, 4)
    assert pruned.predict(np.zeros((1, 12, 20, 1)), verbose=0).shape == (1, 12, 20, 1)
