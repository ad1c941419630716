"""Small Keras models for every layer kind that has a rule; a test says which kinds have none.

Each example puts the layer where channels can go before it and are read after it, so that a rule that loses
track of them makes the pruned model differ from the masked one. Its name is the kind, and what is special
behind a comma.
"""

from collections.abc import Callable

import keras
from graph.examples_kept import KEPT
from graph.examples_ops import OPS
from graph.examples_sequences import SEQUENCES
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

CONV = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
MEAN = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}
INPUT = {1: (9, 3), 2: (6, 6, 3), 3: (4, 4, 4, 2)}


def _between(*middle: layers.Layer, rank: int = 2, width: int = 6, wide: int = 5) -> keras.Model:
    """conv → layers → conv → mean → dense."""
    image = keras.Input(INPUT[rank])
    x = CONV[rank](width, 3, padding="same")(image)
    for layer in middle:
        x = layer(x)
    x = CONV[rank](wide, 1)(x)
    return keras.Model(image, layers.Dense(3)(MEAN[rank]()(x)))


def _first(*middle: layers.Layer, width: int = 6) -> keras.Model:
    """The same with the channels first; the image is wider than there are channels."""
    image = keras.Input((3, 4, 9))
    x = layers.Conv2D(width, 3, padding="same", data_format="channels_first", use_bias=False)(image)
    for layer in middle:
        x = layer(x)
    x = layers.Conv2D(5, 1, data_format="channels_first", use_bias=False)(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    return keras.Model(image, layers.Dense(3)(x))


def _before_head(layer: layers.Layer, *, rank: int = 2) -> keras.Model:
    """conv → layer → dense, for layers that end the image."""
    image = keras.Input(INPUT[rank])
    x = layer(CONV[rank](6, 3)(image))
    return keras.Model(image, layers.Dense(3)(x))


def _merging(merge: layers.Layer) -> keras.Model:
    """Two branches that meet and are read together."""
    image = keras.Input(INPUT[2])
    first = layers.Conv2D(6, 3, padding="same", activation="sigmoid")(image)
    second = layers.Conv2D(6, 1)(image)
    x = layers.Conv2D(4, 1)(merge([first, second]))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _masked() -> keras.Model:
    vector = keras.Input((5,))
    x = layers.Masking()(layers.Reshape((2, 7))(layers.Dense(14, activation="relu")(vector)))
    return keras.Model(vector, layers.Dense(3)(x))


def _look_up(table: layers.Layer) -> keras.Model:
    rows = keras.Input((4,), dtype="int32")
    return keras.Model(rows, layers.Dense(3)(layers.Flatten()(layers.Dense(5)(table(rows)))))


def _look_up_and_back() -> keras.Model:
    rows = keras.Input((4,), dtype="int32")
    table = layers.ReversibleEmbedding(7, 6, tie_weights=False)
    return keras.Model(rows, table(layers.Dense(6)(table(rows)), reverse=True))


def _with_lora(layer: layers.Layer) -> keras.Model:
    model = _between(layer)
    layer.enable_lora(2)
    return model


def _flattened_with_channels_first() -> keras.Model:
    image = keras.Input((3, 6, 9))
    x = layers.Conv2D(6, 3, data_format="channels_first")(image)
    return keras.Model(image, layers.Dense(3)(layers.Flatten(data_format="channels_first")(x)))


CONVOLUTIONS: dict[str, Callable[[], keras.Model]] = {
    "Conv1D": lambda: _between(layers.Conv1D(7, 3, padding="causal", dilation_rate=2), rank=1),
    "Conv2D": lambda: _between(layers.Conv2D(7, 3, strides=2, activation="relu")),
    "Conv3D": lambda: _between(layers.Conv3D(5, 2), rank=3),
    "Conv2D, of three groups": lambda: _between(layers.Conv2D(9, 3, groups=3), width=12),
    "Conv2D, with one channel per group": lambda: _between(layers.Conv2D(14, 3, groups=7), width=7, wide=7),
    "Conv2D, channels first": lambda: _first(layers.Conv2D(5, 3, data_format="channels_first")),
    "Conv2D, with low-rank weights": lambda: _with_lora(layers.Conv2D(7, 3)),
    "Conv1DTranspose": lambda: _between(layers.Conv1DTranspose(7, 3, strides=2), rank=1),
    "Conv2DTranspose": lambda: _between(layers.Conv2DTranspose(7, 3, strides=2, activation="relu")),
    "Conv2DTranspose, channels first": lambda: _first(
        layers.Conv2DTranspose(8, 3, data_format="channels_first")
    ),
    "Conv3DTranspose": lambda: _between(layers.Conv3DTranspose(4, 2), rank=3),
    "DepthwiseConv1D": lambda: _between(layers.DepthwiseConv1D(3, depth_multiplier=2), rank=1),
    "DepthwiseConv2D": lambda: _between(layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "DepthwiseConv2D, channels first": lambda: _first(
        layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, data_format="channels_first")
    ),
    "SeparableConv1D": lambda: _between(layers.SeparableConv1D(7, 3, depth_multiplier=2), rank=1),
    "SeparableConv2D": lambda: _between(layers.SeparableConv2D(7, 3, depth_multiplier=2)),
    "Dense": lambda: _before_head(layers.Dense(7, activation="tanh")),
    "Embedding": lambda: _look_up(layers.Embedding(9, 6)),
    "ReversibleEmbedding": lambda: _look_up(layers.ReversibleEmbedding(9, 6)),
    "ReversibleEmbedding, there and back": _look_up_and_back,
    "SpectralNormalization": lambda: _between(layers.SpectralNormalization(layers.Conv2D(7, 3))),
}
NORMALIZATIONS: dict[str, Callable[[], keras.Model]] = {
    "BatchNormalization": lambda: _between(layers.BatchNormalization()),
    "BatchNormalization, channels first": lambda: _first(layers.BatchNormalization(axis=1)),
    "LayerNormalization": lambda: _between(layers.LayerNormalization()),
    "LayerNormalization, over the image": lambda: _between(layers.LayerNormalization(axis=[1, 2, 3])),
    "LayerNormalization, channels first": lambda: _first(layers.LayerNormalization(axis=1)),
    "LayerNormalization, of squares": lambda: _between(layers.LayerNormalization(rms_scaling=True)),
    "GroupNormalization": lambda: _between(layers.GroupNormalization(4), width=12),
    "GroupNormalization, of everything": lambda: _between(layers.GroupNormalization(1)),
    "GroupNormalization, of each channel": lambda: _between(
        layers.GroupNormalization(-1, center=False, scale=False), layers.ReLU()
    ),
    "GroupNormalization, channels first": lambda: _first(layers.GroupNormalization(4, axis=1), width=12),
    "RMSNormalization": lambda: _between(layers.RMSNormalization(epsilon=0.1)),
    "UnitNormalization": lambda: _between(layers.Activation("sigmoid"), layers.UnitNormalization()),
    "UnitNormalization, over the image": lambda: _between(layers.UnitNormalization(axis=[1, 2, 3])),
    "Rescaling": lambda: _between(layers.Rescaling(0.5, offset=1.0)),
    "keras.src.applications.convnext.LayerScale": lambda: _between(LayerScale(0.1, 6)),
}
WITHOUT_WEIGHTS = (
    "GroupNormalization, of each channel",
    "UnitNormalization",
    "UnitNormalization, over the image",
    "Rescaling",
)
ACTIVATIONS: dict[str, Callable[[], keras.Model]] = {
    "Activation": lambda: _between(layers.Activation("sigmoid")),
    "ReLU": lambda: _between(layers.ReLU(max_value=6.0)),
    "LeakyReLU": lambda: _between(layers.LeakyReLU(negative_slope=0.2)),
    "ELU": lambda: _between(layers.ELU(alpha=0.7)),
    "PReLU": lambda: _between(layers.PReLU(shared_axes=[1, 2])),
    "Softmax": lambda: _between(layers.Softmax()),
}
PASSING: dict[str, Callable[[], keras.Model]] = {
    **{
        f"{name}Pooling{rank}D": lambda name=name, rank=rank: _between(
            getattr(layers, f"{name}Pooling{rank}D")(2, padding="same"), rank=rank
        )
        for name in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{
        f"{name}{rank}D": lambda name=name, rank=rank: _before_head(
            getattr(layers, f"{name}{rank}D")(), rank=rank
        )
        for name in ("GlobalMaxPooling", "GlobalAveragePooling")
        for rank in (1, 2, 3)
    },
    **{
        f"Adaptive{name}Pooling{rank}D": lambda name=name, rank=rank: _between(
            getattr(layers, f"Adaptive{name}Pooling{rank}D")(2), rank=rank
        )
        for name in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{
        f"{name}{rank}D": lambda name=name, rank=rank: _between(
            getattr(layers, f"{name}{rank}D")(1), rank=rank
        )
        for name in ("ZeroPadding", "Cropping")
        for rank in (1, 2, 3)
    },
    **{
        f"UpSampling{rank}D": lambda rank=rank: _between(getattr(layers, f"UpSampling{rank}D")(2), rank=rank)
        for rank in (1, 2, 3)
    },
    **{
        f"SpatialDropout{rank}D": lambda rank=rank: _between(
            getattr(layers, f"SpatialDropout{rank}D")(0.3), rank=rank
        )
        for rank in (1, 2, 3)
    },
    **{
        name: lambda name=name: _between(getattr(layers, name)(0.2))
        for name in (
            "Dropout",
            "GaussianDropout",
            "GaussianNoise",
            "AlphaDropout",
            "ActivityRegularization",
            "RandomBrightness",
            "RandomContrast",
            "RandomRotation",
            "RandomSharpness",
            "RandomZoom",
        )
    },
    **{
        name: lambda name=name: _between(getattr(layers, name)())
        for name in (
            "Identity",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomInvert",
            "RandomPerspective",
            "RandomShear",
        )
    },
    "GlobalMaxPooling2D, keeping axes": lambda: _between(layers.GlobalMaxPooling2D(keepdims=True)),
    "MaxPooling2D, channels first": lambda: _first(layers.MaxPooling2D(2, data_format="channels_first")),
    "GlobalMaxPooling2D, channels first": lambda: _first(
        layers.GlobalMaxPooling2D(keepdims=True, data_format="channels_first")
    ),
    "RandomPosterization": lambda: _between(layers.RandomPosterization(4)),
    "RandomTranslation": lambda: _between(layers.RandomTranslation(0.2, 0.2)),
    "RandomCrop": lambda: _between(layers.RandomCrop(6, 6)),
    "CenterCrop": lambda: _between(layers.CenterCrop(4, 4)),
    "Resizing": lambda: _between(layers.Resizing(4, 8)),
    "Masking": _masked,
    "keras.src.applications.convnext.StochasticDepth": lambda: _between(StochasticDepth(0.2)),
}
MERGING: dict[str, Callable[[], keras.Model]] = {
    "Add": lambda: _merging(layers.Add()),
    "Subtract": lambda: _merging(layers.Subtract()),
    "Multiply": lambda: _merging(layers.Multiply()),
    "Maximum": lambda: _merging(layers.Maximum()),
    "Minimum": lambda: _merging(layers.Minimum()),
    "Average": lambda: _merging(layers.Average()),
    "Concatenate": lambda: _merging(layers.Concatenate()),
    "keras.src.applications.inception_resnet_v2.CustomScaleLayer": lambda: _merging(CustomScaleLayer(0.3)),
}
RESHAPING: dict[str, Callable[[], keras.Model]] = {
    "Flatten": lambda: _before_head(layers.Flatten()),
    "Flatten, channels first": _flattened_with_channels_first,
    "Reshape": lambda: _before_head(layers.Reshape((16 * 6,))),
    "Permute": lambda: _between(layers.Permute((2, 1, 3))),
}
EXAMPLES: dict[str, Callable[[], keras.Model]] = {
    **CONVOLUTIONS,
    **NORMALIZATIONS,
    **ACTIVATIONS,
    **PASSING,
    **MERGING,
    **RESHAPING,
    **KEPT,
    **SEQUENCES,
    **OPS,
}


def kind_of_example(name: str) -> str:
    return name.split(",")[0]
