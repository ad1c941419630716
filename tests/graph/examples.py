"""One small Keras model per layer kind that has a rule; a test says which kinds have none.

Each example puts the layer where channels can go before it and are read after it, so that a rule that loses
track of them makes the pruned model differ from the masked one.
"""

from collections.abc import Callable

import keras
from graph.examples_ops import OPS
from graph.examples_sequences import SEQUENCES
from keras import layers


def _image() -> keras.KerasTensor:
    return keras.Input((6, 6, 3))


def _between(*middle: layers.Layer) -> keras.Model:
    """conv → layers → conv → mean → dense."""
    image = _image()
    x = layers.Conv2D(6, 3, padding="same")(image)
    for layer in middle:
        x = layer(x)
    x = layers.Conv2D(5, 1)(x)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def _before_head(layer: layers.Layer) -> keras.Model:
    """conv → layer → dense, for layers that end the image."""
    image = _image()
    x = layer(layers.Conv2D(6, 3)(image))
    return keras.Model(image, layers.Dense(3)(x))


def _merging(merge: layers.Layer) -> keras.Model:
    """Two branches that meet and are read together."""
    image = _image()
    first = layers.Conv2D(6, 3, padding="same", activation="sigmoid")(image)
    second = layers.Conv2D(6, 1)(image)
    x = layers.Conv2D(4, 1)(merge([first, second]))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _on_vector(*middle: layers.Layer) -> keras.Model:
    vector = keras.Input((5,))
    x = layers.Dense(12)(vector)
    for layer in middle:
        x = layer(x)
    return keras.Model(vector, layers.Dense(3)(layers.Flatten()(x)))


EXAMPLES: dict[str, Callable[[], keras.Model]] = {
    **SEQUENCES,
    **OPS,
    "Conv2D": lambda: _between(layers.Conv2D(7, 3, strides=2, activation="relu")),
    "DepthwiseConv2D": lambda: _between(layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "SeparableConv2D": lambda: _between(layers.SeparableConv2D(7, 3, depth_multiplier=2)),
    "Dense": lambda: _before_head(layers.Dense(7, activation="tanh")),
    "BatchNormalization": lambda: _between(layers.BatchNormalization()),
    "LayerNormalization": lambda: _between(layers.LayerNormalization()),
    "Normalization": lambda: _between(layers.Normalization()),
    "Rescaling": lambda: _between(layers.Rescaling(0.5, offset=1.0)),
    "Activation": lambda: _between(layers.Activation("sigmoid")),
    "ReLU": lambda: _between(layers.ReLU(max_value=6.0)),
    "LeakyReLU": lambda: _between(layers.LeakyReLU(negative_slope=0.2)),
    "ELU": lambda: _between(layers.ELU(alpha=0.7)),
    "PReLU": lambda: _between(layers.PReLU(shared_axes=[1, 2])),
    "Softmax": lambda: _between(layers.Softmax()),
    "MaxPooling2D": lambda: _between(layers.MaxPooling2D(2)),
    "AveragePooling2D": lambda: _between(layers.AveragePooling2D(2, padding="same")),
    "GlobalMaxPooling2D": lambda: _between(layers.GlobalMaxPooling2D(keepdims=True)),
    "GlobalAveragePooling2D": lambda: _before_head(layers.GlobalAveragePooling2D()),
    "ZeroPadding2D": lambda: _between(layers.ZeroPadding2D(((1, 0), (0, 2)))),
    "Cropping2D": lambda: _between(layers.Cropping2D(1)),
    "UpSampling2D": lambda: _between(layers.UpSampling2D(2)),
    "Dropout": lambda: _between(layers.Dropout(0.3)),
    "SpatialDropout1D": lambda: _on_vector(layers.Reshape((2, 6)), layers.SpatialDropout1D(0.3)),
    "SpatialDropout2D": lambda: _between(layers.SpatialDropout2D(0.3)),
    "GaussianDropout": lambda: _between(layers.GaussianDropout(0.3)),
    "GaussianNoise": lambda: _between(layers.GaussianNoise(0.3)),
    "AlphaDropout": lambda: _between(layers.AlphaDropout(0.3)),
    "ActivityRegularization": lambda: _between(layers.ActivityRegularization(l2=0.1)),
    "Identity": lambda: _between(layers.Identity()),
    "Add": lambda: _merging(layers.Add()),
    "Subtract": lambda: _merging(layers.Subtract()),
    "Multiply": lambda: _merging(layers.Multiply()),
    "Maximum": lambda: _merging(layers.Maximum()),
    "Minimum": lambda: _merging(layers.Minimum()),
    "Average": lambda: _merging(layers.Average()),
    "Concatenate": lambda: _merging(layers.Concatenate()),
    "Flatten": lambda: _before_head(layers.Flatten()),
    "Reshape": lambda: _before_head(layers.Reshape((16 * 6,))),
    "Permute": lambda: _between(layers.Permute((2, 1, 3))),
}
