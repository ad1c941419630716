"""Architectures on sequences, words, sounds and tables, their sizes drawn at random."""

import random
from typing import Any

import keras
from keras import layers, ops

Tensor = Any


def _series(rng: random.Random) -> Tensor:
    return keras.Input((rng.choice((6, 8, 11)), rng.choice((1, 3, 6))))


def _stacked(kind: str, rng: random.Random) -> keras.Model:
    series, make = _series(rng), getattr(layers, kind)
    x = make(rng.choice((5, 8, 12)), return_sequences=True)(series) if rng.random() < 0.5 else series
    x = make(rng.choice((4, 8)))(x)
    return keras.Model(series, layers.Dense(rng.choice((1, 4)), activation="sigmoid")(x))


def _lstm(rng: random.Random) -> keras.Model:
    return _stacked("LSTM", rng)


def _gru(rng: random.Random) -> keras.Model:
    return _stacked("GRU", rng)


def _bidirectional(rng: random.Random) -> keras.Model:
    series, kind = _series(rng), rng.choice((layers.LSTM, layers.GRU))
    merge = rng.choice(("concat", "sum", "ave"))
    x = layers.Bidirectional(kind(rng.choice((4, 6)), return_sequences=True), merge_mode=merge)(series)
    return keras.Model(series, layers.TimeDistributed(layers.Dense(3, activation="softmax"))(x))


def _tcn(rng: random.Random) -> keras.Model:
    series, width = keras.Input((rng.choice((16, 24)), rng.choice((2, 4)))), rng.choice((6, 8))
    x = layers.Conv1D(width, 1)(series)
    for dilation in (1, 2, 4)[: rng.randint(2, 3)]:
        y = layers.Conv1D(width, rng.choice((2, 3)), dilation_rate=dilation, padding="causal")(x)
        x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(y)]))
    return keras.Model(series, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _wavenet(rng: random.Random) -> keras.Model:
    series, width = keras.Input((rng.choice((12, 20)), 1)), rng.choice((4, 8))
    x, skipped = layers.Conv1D(width, 2, padding="causal")(series), []
    for dilation in (1, 2, 4)[: rng.randint(2, 3)]:
        options = {"dilation_rate": dilation, "padding": "causal"}
        opened = layers.Conv1D(width, 2, activation="sigmoid", **options)(x)
        y = layers.Multiply()([layers.Conv1D(width, 2, activation="tanh", **options)(x), opened])
        skipped.append(layers.Conv1D(width, 1)(y))
        x = layers.Add()([x, layers.Conv1D(width, 1)(y)])
    return keras.Model(series, layers.Conv1D(3, 1)(layers.ReLU()(layers.Add()(skipped))))


def _convolutional_1d(rng: random.Random) -> keras.Model:
    """Of an accelerometer or an ECG."""
    series, activation = keras.Input((rng.choice((32, 45)), rng.choice((1, 3)))), rng.choice(("relu", "elu"))
    x = series
    for width in (8, 12, 16)[: rng.randint(1, 3)]:
        padding = rng.choice(("same", "valid")) if x.shape[1] > 7 else "same"
        x = layers.Conv1D(width, rng.choice((3, 5, 7)), padding=padding, activation=activation)(x)
        x = rng.choice((layers.MaxPooling1D, layers.AveragePooling1D))(2, padding="same")(x)
    return keras.Model(series, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


def _feed_forward(rng: random.Random, x: Tensor, width: int) -> Tensor:
    y = layers.Dense(2 * width, activation=rng.choice(("relu", "gelu")))(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(width)(y)])


def _transformer(rng: random.Random) -> keras.Model:
    series, width = _series(rng), rng.choice((8, 12))
    x = layers.Dense(width)(series)
    for _ in range(rng.randint(1, 2)):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(rng.choice((1, 2, 3)), rng.choice((3, 4)))(y, y)
        x = _feed_forward(rng, layers.Add()([x, y]), width)
    return keras.Model(series, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _words(rng: random.Random, width: int) -> tuple[Tensor, Tensor]:
    words = keras.Input((rng.choice((6, 9)),), dtype="int32")
    return words, layers.Embedding(rng.choice((20, 50)), width)(words)


def _text_convolution(rng: random.Random) -> keras.Model:
    words, x = _words(rng, rng.choice((6, 8)))
    found = [layers.Conv1D(6, size, activation="relu")(x) for size in rng.sample((2, 3, 4), 2)]
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(each) for each in found])
    return keras.Model(words, layers.Dense(2, activation="softmax")(x))


def _text_recurrence(rng: random.Random) -> keras.Model:
    words, x = _words(rng, rng.choice((6, 8)))
    x = rng.choice((layers.LSTM, layers.GRU))(rng.choice((5, 8)))(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


def _text_transformer(rng: random.Random) -> keras.Model:
    width = rng.choice((8, 12))
    words, x = _words(rng, width)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=rng.random() < 0.5)])
    x = _feed_forward(rng, x, width)
    return keras.Model(words, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


def _recommender(rng: random.Random) -> keras.Model:
    width = rng.choice((4, 8))
    ends = [keras.Input((1,), dtype="int32") for _ in range(2)]
    rows = (rng.choice((20, 40)), rng.choice((30, 60)))
    factors = [layers.Flatten()(layers.Embedding(n, width)(x)) for n, x in zip(rows, ends, strict=True)]
    x = layers.Dense(rng.choice((8, 12)), activation="relu")(layers.Concatenate()(factors))
    matched = ops.sum(layers.Multiply()(factors), axis=-1, keepdims=True)
    return keras.Model(ends, layers.Dense(1, activation="sigmoid")(layers.Concatenate()([x, matched])))


def _dense_autoencoder(rng: random.Random) -> keras.Model:
    features = rng.choice((20, 64, 100))
    table, width = keras.Input((features,)), rng.choice((16, 32))
    x = table
    for units in (width, width // 2, 4, width // 2, width):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x)))
    return keras.Model(table, layers.Dense(features)(x))


def _tabular(rng: random.Random) -> keras.Model:
    table, width = keras.Input((rng.choice((7, 13)),)), rng.choice((8, 10))
    x = layers.Dense(width, activation=rng.choice(("relu", "selu", "tanh", "softplus")))(table)
    gate = layers.Dense(width, activation="sigmoid")(x)
    x = layers.Add()([x, layers.Multiply()([layers.Dense(width)(x), gate])])
    return keras.Model(table, [layers.Dense(1)(x), layers.Dense(3, activation="softmax")(x)])


def _spectrogram(rng: random.Random) -> Tensor:
    return keras.Input((rng.choice((20, 25)), rng.choice((8, 10)), 1))


def _keyword_spotter(rng: random.Random) -> keras.Model:
    """DS-CNN."""
    sound, width = _spectrogram(rng), rng.choice((8, 16))
    x = layers.Conv2D(width, rng.choice(((10, 4), (8, 3))), strides=2, padding="same", activation="relu")(
        sound
    )
    for _ in range(rng.randint(1, 3)):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 1)(x)))
    x = layers.Flatten()(layers.AveragePooling2D(x.shape[1:3])(x))
    return keras.Model(sound, layers.Dense(12, activation="softmax")(x))


def _convolutional_recurrent(rng: random.Random) -> keras.Model:
    """A keyword spotter that ends in a recurrent layer."""
    sound = _spectrogram(rng)
    x = layers.Conv2D(rng.choice((4, 6)), (5, 3), strides=(2, 1), padding="same", activation="relu")(sound)
    x = layers.Reshape((x.shape[1], -1))(layers.MaxPooling2D((1, 2))(x))
    x = rng.choice((layers.GRU, layers.LSTM))(rng.choice((6, 8)))(x)
    return keras.Model(sound, layers.Dense(4, activation="softmax")(x))


SEQUENCES = {
    "LSTM": _lstm,
    "GRU": _gru,
    "bidirectional": _bidirectional,
    "TCN": _tcn,
    "WaveNet": _wavenet,
    "1D convolutions": _convolutional_1d,
    "transformer": _transformer,
    "text convolution": _text_convolution,
    "text recurrence": _text_recurrence,
    "text transformer": _text_transformer,
    "recommender": _recommender,
    "dense autoencoder": _dense_autoencoder,
    "tabular": _tabular,
    "keyword spotter": _keyword_spotter,
    "recurrent keyword spotter": _convolutional_recurrent,
}
