"""Examples of layers that are kept as they are; see `examples.py`."""

from collections.abc import Callable

import keras
from keras import layers

UNCALLED = {
    "Equalization": "Keras cannot call it on a symbolic tensor",
    "FlaxLayer": "needs Flax",
    "InputLayer": "is not called",
    "JaxLayer": "needs JAX",
    "Layer": "has no call",
    "StringLookup": "reads text",
    "HashedCrossing": "reads text",
    "TFSMLayer": "needs a SavedModel",
    "TextVectorization": "reads text",
    "TorchModuleWrapper": "needs PyTorch",
    "Wrapper": "has no call",
}
"""Kept kinds without an example, and why."""


def _on_colours(layer: layers.Layer) -> keras.Model:
    """conv → red, green, blue → layer → conv."""
    image = keras.Input((6, 6, 3))
    x = layer(layers.Conv2D(3, 3, padding="same", activation="sigmoid")(image))
    x = layers.Conv2D(5, 1)(x)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def _on_rows(*table: layers.Layer) -> keras.Model:
    """dense → number of a bin → table → dense."""
    vector = keras.Input((5,))
    x = layers.Discretization([-0.5, 0.0, 0.5])(layers.Dense(6)(vector))
    for layer in table:
        x = layer(x)
    x = layers.Dense(4)(layers.Rescaling(0.5)(x))
    return keras.Model(vector, layers.Dense(3)(layers.Flatten()(x)))


def _on_signal(*middle: layers.Layer) -> keras.Model:
    signal = keras.Input((64,))
    x = layers.Dense(64)(signal)
    for layer in middle:
        x = layer(x)
    return keras.Model(signal, layers.Dense(3)(layers.Flatten()(x)))


KEPT: dict[str, Callable[[], keras.Model]] = {
    **{
        name: lambda name=name: _on_colours(getattr(layers, name)())
        for name in (
            "AugMix",
            "AutoContrast",
            "ContrastLimitedAdaptiveHistogramEqualization",
            "CutMix",
            "MixUp",
            "RandAugment",
            "RandomColorJitter",
            "RandomGrayscale",
            "Solarization",
        )
    },
    **{
        name: lambda name=name: _on_colours(getattr(layers, name)(0.2))
        for name in ("RandomColorDegeneration", "RandomHue", "RandomSaturation")
    },
    "MaxNumBoundingBoxes": lambda: _on_colours(layers.MaxNumBoundingBoxes(4)),
    "Pipeline": lambda: _on_colours(layers.Pipeline([layers.Rescaling(0.5), layers.RandomFlip()])),
    "Normalization": lambda: _on_colours(layers.Normalization()),
    "Lambda": lambda: _on_colours(layers.Lambda(lambda x: x[..., ::-1])),
    "CategoryEncoding": lambda: _on_rows(layers.CategoryEncoding(4)),
    "Discretization": _on_rows,
    "Hashing": lambda: _on_rows(layers.Hashing(3)),
    "IntegerLookup": lambda: _on_rows(layers.IntegerLookup(vocabulary=[0, 2, 3])),
    "MelSpectrogram": lambda: _on_signal(
        layers.MelSpectrogram(fft_length=16, sequence_stride=8, num_mel_bins=4, sampling_rate=64, min_freq=1)
    ),
    "STFTSpectrogram": lambda: _on_signal(
        layers.Reshape((64, 1)), layers.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16)
    ),
}
