"""Examples of recurrent layers and attention; see `examples.py`."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers


def _on_sequence(*middle: Any, width: int = 6) -> keras.Model:
    """dense → layers → dense, on five steps of four channels."""
    sequence = keras.Input((5, 4))
    x = layers.Dense(width)(sequence)
    for layer in middle:
        x = layer(x)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    return keras.Model(sequence, layers.Dense(3)(x))


def _conv_lstm(kind: str, *, rank: int) -> keras.Model:
    volume = keras.Input((3, *(4,) * rank, 2))
    first = getattr(layers, kind)(4, 3, padding="same", return_sequences=True)(volume)
    second = getattr(layers, kind)(3, 2, strides=2)(first)
    return keras.Model(volume, layers.Dense(3)(layers.Flatten()(second)))


def _cell_alone(cell: Any, states: int) -> keras.Model:
    """A cell that is called without an RNN layer around it."""
    vector = keras.Input((4,))
    x = layers.Dense(5)(vector)
    start = [layers.Dense(6)(vector) for _ in range(states)]
    return keras.Model(vector, layers.Dense(3)(cell(x, start)[0]))


def _query_value_key() -> tuple[list[keras.KerasTensor], ...]:
    """Inputs, and query, value and key of them.

    Sigmoids make something of channels whose weights are zero, and not the same at every position. Widths are
    odd, so that two channels next to each other are two others when counted from behind.
    """
    sequence, memory = keras.Input((5, 4)), keras.Input((7, 3))
    query = layers.Dense(7, activation="sigmoid")(sequence)
    value, key = (layers.ZeroPadding1D(1)(layers.Dense(7, activation="sigmoid")(memory)) for _ in range(2))
    return [sequence, memory], [query, value, key]


def _attending(layer: Any) -> keras.Model:
    """Query, value and key by name, in another order than Keras' own."""
    inputs, (query, value, key) = _query_value_key()
    x = layer(value=value, key=key, query=query)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def _matching(layer: Any) -> keras.Model:
    inputs, read = _query_value_key()
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layer(read))))


def _dot() -> keras.Model:
    """Attention by hand: the scores of every pair of positions."""
    inputs, (query, value, key) = _query_value_key()
    scores = layers.Dot(axes=2)([query, key])
    x = layers.Dot(axes=(2, 1))([scores, value])
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def _repeat_vector() -> keras.Model:
    vector = keras.Input((4,))
    x = layers.RepeatVector(3)(layers.Dense(7)(vector))
    return keras.Model(vector, layers.Dense(3)(layers.Flatten()(x)))


def _bidirectional() -> keras.Model:
    first = layers.Bidirectional(layers.LSTM(5, return_sequences=True))
    return _on_sequence(first, layers.Bidirectional(layers.GRU(4), merge_mode="sum"))


SEQUENCES: dict[str, Callable[[], keras.Model]] = {
    "SimpleRNN": lambda: _on_sequence(layers.SimpleRNN(5, return_sequences=True), layers.SimpleRNN(6)),
    "LSTM": lambda: _on_sequence(layers.LSTM(5, return_sequences=True), layers.LSTM(6)),
    "GRU": lambda: _on_sequence(layers.GRU(5, return_sequences=True), layers.GRU(6, reset_after=False)),
    "RNN": lambda: _on_sequence(layers.RNN([layers.LSTMCell(5), layers.GRUCell(4), layers.SimpleRNNCell(6)])),
    "ConvLSTM1D": lambda: _conv_lstm("ConvLSTM1D", rank=1),
    "ConvLSTM2D": lambda: _conv_lstm("ConvLSTM2D", rank=2),
    "ConvLSTM3D": lambda: _conv_lstm("ConvLSTM3D", rank=3),
    "SimpleRNNCell": lambda: _cell_alone(layers.SimpleRNNCell(6), 1),
    "LSTMCell": lambda: _cell_alone(layers.LSTMCell(6), 2),
    "GRUCell": lambda: _cell_alone(layers.GRUCell(6), 1),
    "StackedRNNCells": lambda: _cell_alone(layers.StackedRNNCells([layers.SimpleRNNCell(6)]), 1),
    "Bidirectional": _bidirectional,
    "TimeDistributed": lambda: _on_sequence(
        layers.TimeDistributed(layers.Dense(7, activation="tanh")), layers.TimeDistributed(layers.Dense(5))
    ),
    "MultiHeadAttention": lambda: _attending(layers.MultiHeadAttention(3, 4, value_dim=5, output_shape=7)),
    "GroupedQueryAttention": lambda: _attending(layers.GroupQueryAttention(4, 6, 3)),
    "Attention": lambda: _matching(layers.Attention(use_scale=True)),
    "AdditiveAttention": lambda: _matching(layers.AdditiveAttention()),
    "EinsumDense": lambda: _on_sequence(
        layers.EinsumDense("abc,cde->abde", (5, 3, 4), bias_axes="de"),
        layers.EinsumDense("abde,def->abf", (5, 6), bias_axes="f"),
    ),
    "Dot": _dot,
    "RepeatVector": _repeat_vector,
}
