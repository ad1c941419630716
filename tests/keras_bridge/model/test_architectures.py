"""Architectures that users bring: half of every family goes, and the rest computes what it did before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from random_pruning import random_inputs, randomise

from edgeprune.graph.channels import name_channels
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, compact
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio

Tensor = Any


def _stacked(kind: str) -> keras.Model:
    make = getattr(layers, kind)
    return keras.Sequential(
        [
            keras.Input((12, 6)),
            make(24, return_sequences=True),
            layers.Dropout(0.2),
            make(16),
            layers.Dense(12, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def _bidirectional() -> keras.Model:
    """A tagger of words: tokens of 0 are padding and masked."""
    tokens = keras.Input((10,), dtype="int32")
    x = layers.Embedding(50, 24, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x)
    x = layers.Bidirectional(layers.GRU(12, return_sequences=True), merge_mode="ave")(x)
    return keras.Model(tokens, layers.TimeDistributed(layers.Dense(5, activation="softmax"))(x))


def _sequence_to_sequence() -> keras.Model:
    """An encoder whose states a decoder starts from."""
    source, target = keras.Input((8, 5)), keras.Input((6, 4))
    _, hidden, carry = layers.LSTM(24, return_state=True)(source)
    decoded = layers.LSTM(24, return_sequences=True)(target, initial_state=[hidden, carry])
    return keras.Model([source, target], layers.Dense(7)(decoded))


def _tcn() -> keras.Model:
    signal = keras.Input((32, 4))
    x = layers.Conv1D(16, 1)(signal)
    for dilation in (1, 2, 4):
        y = x
        for _ in range(2):
            y = layers.Conv1D(16, 3, dilation_rate=dilation, padding="causal")(y)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            y = layers.SpatialDropout1D(0.1)(y)
        x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(signal, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _feed_forward(x: Tensor, width: int) -> Tensor:
    y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(width)(y)])


def _transformer() -> keras.Model:
    sequence = keras.Input((10, 6))
    x = layers.Dense(32)(sequence)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(num_heads=4, key_dim=8, value_dim=12)(y, y)
        x = _feed_forward(layers.Add()([x, y]), 32)
    x = layers.LayerNormalization()(x)
    return keras.Model(sequence, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _attend_by_hand(x: Tensor, *, heads: int, width: int) -> Tensor:
    steps = x.shape[1]

    def split(y: Tensor, order: tuple[int, int, int]) -> Tensor:
        return layers.Permute(order)(layers.Reshape((steps, heads, width))(y))

    query = split(layers.Dense(heads * width)(x), (2, 1, 3))
    key = split(layers.Dense(heads * width)(x), (2, 3, 1))
    value = split(layers.Dense(heads * width)(x), (2, 1, 3))
    scores = layers.Softmax()(layers.Rescaling(width**-0.5)(ops.matmul(query, key)))
    mixed = layers.Permute((2, 1, 3))(ops.matmul(scores, value))
    return layers.Dense(x.shape[2])(layers.Reshape((steps, heads * width))(mixed))


def _transformer_by_hand() -> keras.Model:
    sequence = keras.Input((10, 6))
    x = layers.Dense(32)(sequence)
    x = layers.Add()([x, _attend_by_hand(layers.LayerNormalization()(x), heads=4, width=8)])
    x = layers.LayerNormalization()(_feed_forward(x, 32))
    # One more head, of Dot layers.
    query, key, value = (layers.Dense(16)(x) for _ in range(3))
    scores = layers.Softmax()(layers.Dot(axes=2)([query, key]))
    x = layers.Dot(axes=(2, 1))([scores, value])
    return keras.Model(sequence, layers.Dense(3)(layers.Flatten()(x)))


def _convolve(x: Tensor, filters: int, size: int = 3, **options: Any) -> Tensor:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, **options)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _u_net() -> keras.Model:
    image = keras.Input((16, 16, 3))
    fine = _convolve(_convolve(image, 8), 8)
    middle = _convolve(layers.MaxPooling2D()(fine), 16)
    coarse = _convolve(layers.MaxPooling2D()(middle), 24)
    x = layers.Conv2DTranspose(16, 2, strides=2)(coarse)
    x = _convolve(layers.Concatenate()([middle, x]), 16)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = _convolve(layers.Concatenate()([fine, x]), 8)
    return keras.Model(image, layers.Conv2D(2, 1, activation="sigmoid")(x))


def _siamese() -> keras.Model:
    inside = keras.Input((12, 12, 1))
    x = layers.GlobalAveragePooling2D()(_convolve(_convolve(inside, 12), 16, strides=2))
    encoder = keras.Model(inside, layers.Dense(16)(x), name="encoder")
    left, right = keras.Input((12, 12, 1)), keras.Input((12, 12, 1))
    a, b = encoder(left), encoder(right)
    distance = ops.abs(layers.Subtract()([a, b]))
    near = layers.Dense(1)(layers.Concatenate()([distance, layers.Dot(axes=1, normalize=True)([a, b])]))
    return keras.Model([left, right], near)


def _recommender() -> keras.Model:
    user, item = keras.Input((1,), dtype="int64"), keras.Input((1,))
    factors = [
        layers.Flatten()(layers.Embedding(rows, 16)(tensor)) for rows, tensor in ((40, user), (60, item))
    ]
    x = layers.Dense(24, activation="relu")(layers.Concatenate()(factors))
    x = layers.Dense(12, activation="relu")(x)
    matched = layers.Dot(axes=1)(factors)
    return keras.Model([user, item], layers.Dense(1)(layers.Concatenate()([x, matched])))


def _squeeze_and_excite() -> keras.Model:
    image = keras.Input((12, 12, 3))
    x = _convolve(image, 16)
    for _ in range(2):
        y = _convolve(x, 16)
        gate = layers.Reshape((1, 1, 16))(layers.GlobalAveragePooling2D()(y))
        gate = layers.Dense(16, activation="sigmoid")(layers.Dense(8, activation="relu")(gate))
        x = layers.Add()([x, layers.Multiply()([y, gate])])
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def _autoencoder() -> keras.Model:
    image = keras.Input((16, 16, 1))
    x = _convolve(_convolve(image, 8, strides=2), 16, strides=2)
    code = layers.Dense(12)(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 16))(layers.Dense(4 * 4 * 16, activation="relu")(code))
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Conv2DTranspose(1, 3, strides=2, padding="same")(x))


def _ssd() -> keras.Model:
    """Boxes and classes from two scales, joined along the positions."""
    image = keras.Input((16, 16, 3))
    scales = [_convolve(_convolve(image, 12), 16, strides=2)]
    scales.append(_convolve(scales[0], 24, strides=2))
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(2 * 4, 3, padding="same")(x)) for x in scales]
    classes = [layers.Reshape((-1, 5))(layers.Conv2D(2 * 5, 3, padding="same")(x)) for x in scales]
    found = layers.Softmax()(layers.Concatenate(axis=1)(classes))
    return keras.Model(image, [layers.Concatenate(axis=1)(boxes), found])


def _mixer() -> keras.Model:
    image = keras.Input((16, 16, 3))
    x = layers.Reshape((16, 24))(layers.Conv2D(24, 4, strides=4)(image))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
        x = _feed_forward(layers.Add()([x, layers.Permute((2, 1))(y)]), 24)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _shuffle_net() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = _convolve(image, 16)
    for _ in range(2):
        first, second = x[..., :8], x[..., 8:]
        second = _convolve(second, 8, 1)
        second = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(second))
        second = _convolve(second, 8, 1)
        x = layers.Concatenate()([first, second])
        x = layers.Permute((1, 2, 4, 3))(layers.Reshape((8, 8, 2, 8))(x))
        x = layers.Reshape((8, 8, 16))(x)
    x = layers.GlobalAveragePooling2D()(_convolve(x, 32, 1))
    return keras.Model(image, layers.Dense(3)(x))


ARCHITECTURES: dict[str, tuple[Callable[[], keras.Model], float]] = {
    "stacked LSTM": (lambda: _stacked("LSTM"), 0.6),
    "stacked GRU": (lambda: _stacked("GRU"), 0.6),
    "bidirectional tagger": (_bidirectional, 0.6),
    "encoder and decoder": (_sequence_to_sequence, 0.6),
    "TCN": (_tcn, 0.6),
    "Transformer": (_transformer, 0.6),
    "Transformer by hand": (_transformer_by_hand, 0.6),
    "U-Net": (_u_net, 0.6),
    "siamese": (_siamese, 0.6),
    "recommender": (_recommender, 0.55),
    "squeeze and excite": (_squeeze_and_excite, 0.6),
    "autoencoder": (_autoencoder, 0.6),
    "SSD": (_ssd, 0.55),
    "MLP-Mixer": (_mixer, 0.55),
    "ShuffleNet": (_shuffle_net, 0.55),
}
"""Name → model, and the share of its parameters and MACs that goes when half of every family does."""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_half_of_every_family_goes_and_the_rest_computes_the_same(name: str, tmp_path: Path) -> None:
    build, least_share = ARCHITECTURES[name]
    model, rng = build(), np.random.default_rng(0)
    randomise(model, rng)
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = remove_ratio(channels, scores=rng.random(channels.groups), ratio=0.5, limits=Limits(scope="local"))
    probe = random_inputs(model, rng)

    compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)

    assert compacted.error <= TOLERANCE
    assert compacted.model.count_params() == compacted.graph.params
    assert compacted.graph.params <= (1 - least_share) * traced.graph.params
    lowering = Lowering(traced.graph, channels)
    macs, macs_before = (count_macs(lowering.lower(plan)) for plan in (kept, channels.everything))
    assert 0 < macs <= (1 - least_share) * macs_before
    path = tmp_path / "model.keras"
    compacted.model.save(path)
    loaded = keras.models.load_model(path)
    for a, b in zip(
        call(compacted.model, probe, training=False), call(loaded, probe, training=False), strict=True
    ):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)


def test_a_transformer_loses_heads_widths_and_its_residual_stream() -> None:
    model, rng = _transformer(), np.random.default_rng(0)
    channels = name_channels(trace(model).graph)
    kept = remove_ratio(channels, scores=rng.random(channels.groups), ratio=0.5, limits=Limits(scope="local"))
    left = {
        name.partition(":")[2] or name: int(kept[channels.family == family].sum())
        for family, name in enumerate(channels.family_names)
        if not kept[channels.family == family].all()
    }
    assert left["heads"] == 2
    assert left["key_dim"] == 4
    assert left["value_dim"] == 6
    assert sorted(width for name, width in left.items() if name.startswith("dense")) == [16, 32, 32]
