"""The embedded example: a network that is too slow for a small device, trained on the spot on real images."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edgeprune.keras_bridge.data.dataset import Data, load_data
from edgeprune.keras_bridge.training.compiled import interface_of
from edgeprune.keras_bridge.training.determinism import fix_seeds

WIDTH = 56
"""Channels of the first half; int8 then takes 1.7 times the default latency budget of `cortex-m7`."""

EPOCHS = 20
LEARNING_RATE = 3e-3
BATCH_SIZE = 64
DIGITS = Path(__file__).with_name("digits.npz")


def make_example(seed: int) -> tuple[keras.Model, Data]:
    """A trained classifier of handwritten digits, and its data.

    The images are 8 x 8 x 1, `uint8` from 0 to 16; `digits.md` says whose they are. Training takes about 20
    seconds on two cores.

    Args:
        seed: of the weights, the order of the batches and the validation split. Fixes the randomness of the
            whole process.
    """
    fix_seeds(seed)
    model = build_network(WIDTH)
    data = load_data(str(DIGITS), interface=interface_of(model), seed=seed)
    train = data.train.take(np.arange(data.train.drawable))
    steps = EPOCHS * (len(train) // BATCH_SIZE + 1)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    assert train.y is not None  # they have labels
    model.fit(train.x[0].astype("float32"), train.y[0], batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return model, replace(data, is_held_out=False)  # it has not learnt those


def build_network(width: int) -> keras.Model:
    """The untrained network: a convolution, a residual block, a depthwise-separable one, a classifier.

    Args:
        width: channels of the first half; the second has twice as many.
    """
    image = keras.Input((8, 8, 1), name="image")
    stem = _convolve(image, width, name="stem")
    x = _convolve(stem, width, name="residual_1")
    x = _convolve(x, width, name="residual_2", activate=False)
    x = layers.ReLU(name="residual_relu")(layers.Add(name="residual_add")([x, stem]))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU(name="depthwise_relu")(layers.BatchNormalization(name="depthwise_norm")(x))
    x = _convolve(x, 2 * width, name="pointwise", kernel=1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def _convolve(
    x: keras.KerasTensor, channels: int, *, name: str, kernel: int = 3, activate: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, kernel, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x
