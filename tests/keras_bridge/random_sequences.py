"""Small Keras models of sequences drawn at random: recurrent layers, attention, wrappers, einsums."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from graph.examples_sequences import SEQUENCES
from hypothesis import strategies as st
from keras import layers
from keras_bridge.law import Draw

Tensor = Any
CELLS = ("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells")
KINDS = tuple(kind for kind in SEQUENCES if kind not in CELLS)
FILLING = ("Dense", "LayerNormalization", "BatchNormalization", "residual", "Concatenate", "Permute", "gate")
STEPS = 4


@dataclass
class Sequence:
    """A model while it is drawn: one tensor of (steps, channels) that each step takes on."""

    draw: Draw

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def width(self) -> int:
        return self.draw(st.integers(2, 7))

    def activation(self) -> Any:
        return self.choose("tanh", "tanh", "sigmoid", "relu", "linear", "softmax")

    def dense(self, x: Tensor, width: int = 0) -> Tensor:
        return layers.Dense(width or self.width(), activation=self.choose(None, "sigmoid", "tanh"))(x)

    def step(self, x: Tensor, kind: str) -> Tensor:
        return _STEPS[kind](self, x)


def _settings(d: Sequence, kind: str) -> dict[str, Any]:
    gated = {"recurrent_activation": d.choose("sigmoid", "hard_sigmoid")} if kind != "SimpleRNN" else {}
    reset = {"reset_after": d.choose(True, False)} if kind == "GRU" else {}
    return {"activation": d.activation(), "use_bias": d.choose(True, True, False), **gated, **reset}


def _recurrent(kind: str) -> Callable[[Sequence, Tensor], Tensor]:
    def step(d: Sequence, x: Tensor) -> Tensor:
        units = d.width()
        layer = getattr(layers, kind)(
            units,
            return_sequences=True,
            return_state=d.choose(True, False),
            go_backwards=d.choose(False, False, True),
            **_settings(d, kind),
        )
        states = 2 if kind == "LSTM" else 1
        start = (
            [d.dense(layers.Flatten()(x), units) for _ in range(states)] if d.choose(True, False) else None
        )
        found = layer(x, initial_state=start)
        if not layer.return_state:
            return found
        y, *states = found
        again = layers.Dense(units)(states[-1])
        return layers.Add()([y, layers.RepeatVector(y.shape[1])(again)])

    return step


def _cell(d: Sequence) -> Any:
    kind = d.choose("SimpleRNN", "LSTM", "GRU")
    return getattr(layers, f"{kind}Cell")(d.width(), **_settings(d, kind))


def _rnn(d: Sequence, x: Tensor) -> Tensor:
    cells = [_cell(d) for _ in range(d.choose(1, 1, 2, 3))]
    return layers.RNN(cells if len(cells) > 1 else cells[0], return_sequences=True)(x)


def _bidirectional(d: Sequence, x: Tensor) -> Tensor:
    kind, units = d.choose("SimpleRNN", "LSTM", "GRU"), d.width()
    forward = getattr(layers, kind)(units, return_sequences=True, **_settings(d, kind))
    backward = None
    if d.choose(True, False):
        backward = layers.GRU(units, return_sequences=True, go_backwards=True, **_settings(d, "GRU"))
    if d.choose(False, False, True):
        forward, backward = layers.RNN([_cell(d), _cell(d)], return_sequences=True), None
    mode = d.choose("concat", "concat", "sum", "mul", "ave", None)
    y = layers.Bidirectional(forward, merge_mode=mode, backward_layer=backward)(x)
    if mode is None:
        y = layers.Concatenate()([y[1], d.dense(y[0])])
    return y


def _time_distributed(d: Sequence, x: Tensor) -> Tensor:
    cut = layers.Reshape((x.shape[1], x.shape[2], 1))(x)
    inner = d.choose("Dense", "BatchNormalization", "LSTM", "Conv1D", "Bidirectional", "Softmax")
    if inner == "Dense":
        return layers.TimeDistributed(layers.Dense(d.width(), activation="sigmoid"))(x)
    if inner == "BatchNormalization":
        return layers.TimeDistributed(layers.BatchNormalization())(x)
    if inner == "Softmax":
        return layers.TimeDistributed(layers.Softmax())(x)
    deep = layers.TimeDistributed(layers.Conv1D(d.width(), 2, padding="same"))(cut)
    if inner == "Conv1D":
        return layers.TimeDistributed(layers.Flatten())(deep)
    layer = layers.LSTM(d.width())
    return layers.TimeDistributed(layers.Bidirectional(layer) if inner == "Bidirectional" else layer)(deep)


def _conv_lstm(rank: int) -> Callable[[Sequence, Tensor], Tensor]:
    def step(d: Sequence, x: Tensor) -> Tensor:
        volume = layers.Reshape((x.shape[1], x.shape[2], *(1,) * rank))(x)
        make = getattr(layers, f"ConvLSTM{rank}D")
        again = make(d.width(), 2, padding="same", return_sequences=True, activation=d.activation())(volume)
        last = make(d.width(), 1, strides=d.choose(1, 2), use_bias=d.choose(True, False))(again)
        return layers.Reshape((-1, last.shape[-1]))(last)

    return step


def _multi_head(d: Sequence, x: Tensor) -> Tensor:
    options = {
        "num_heads": d.choose(1, 2, 3, 4),
        "key_dim": d.width(),
        "value_dim": d.choose(None, 3, 5),
        "use_bias": d.choose(True, True, False),
        "output_shape": d.choose(None, 4, 6),
        "use_gate": d.choose(False, False, True),
    }
    if d.choose(False, False, True):  # over one of two axes of positions
        deep = layers.Dense(d.width())(layers.Reshape((x.shape[1], x.shape[2], 1))(x))
        y = layers.MultiHeadAttention(**options, attention_axes=d.choose(1, 2))(deep, deep)
        return layers.Reshape((x.shape[1], -1))(y)
    layer = layers.MultiHeadAttention(**options)
    memory = d.choose(x, d.dense(x), layers.ZeroPadding1D(1)(d.dense(x)))
    if d.choose(False, False, True):
        y, scores = layer(x, memory, return_attention_scores=True)
        seen = layers.Dense(2)(layers.Flatten()(scores)) if memory.shape[1] == x.shape[1] else None
        return y if seen is None else layers.Concatenate()([y, layers.RepeatVector(y.shape[1])(seen)])
    key = d.choose(memory, d.dense(memory))
    return layer(key=key, query=x, value=memory, use_causal_mask=d.choose(True, False))


def _grouped_query(d: Sequence, x: Tensor) -> Tensor:
    groups = d.choose(1, 2, 3)
    layer = layers.GroupQueryAttention(
        d.width(),
        groups * d.choose(1, 2),
        groups,
        use_bias=d.choose(True, False),
        use_gate=d.choose(True, False),
    )
    memory = d.choose(x, d.dense(x, x.shape[2]))
    return layer(x, memory, d.dense(memory, x.shape[2]))


def _attention(d: Sequence, x: Tensor) -> Tensor:
    layer = layers.Attention(use_scale=d.choose(True, False), score_mode=d.choose("dot", "concat"))
    memory = d.dense(x, x.shape[2])
    return layer(
        d.choose([x, x], [x, memory], [x, d.dense(x), memory]), use_causal_mask=d.choose(True, False)
    )


def _additive(d: Sequence, x: Tensor) -> Tensor:
    memory = layers.ZeroPadding1D(1)(d.dense(x, x.shape[2]))
    return layers.AdditiveAttention(use_scale=d.choose(True, False))([x, memory])


def _einsum(d: Sequence, x: Tensor) -> Tensor:
    steps, _, width, heads = x.shape[1], x.shape[2], d.width(), d.choose(1, 2, 3)
    activation = d.choose(None, "sigmoid")
    equation, shape, bias = d.choose(
        ("abc,cd->abd", (steps, width), "d"),
        ("...x,xy->...y", (width,), "y"),
        ("abc,cd->abd", (None, width), None),
        ("abc,cde->abde", (steps, heads, width), "de"),
        ("abc,cde->abde", (steps, heads, width), "e"),
        ("abc,cde->adbe", (heads, steps, width), "de"),
        ("abc,bd->adc", (width, x.shape[2]), "d"),
        ("abc,bcd->abd", (steps, width), "bd"),
        ("abc,bd->acd", (x.shape[2], width), "c"),
        ("ab...,bd->ad...", (width,), "d"),
        ("abc,c->abc", tuple(x.shape[1:]), "c"),
    )
    y = layers.EinsumDense(equation, shape, bias_axes=bias, activation=activation)(x)
    if len(y.shape) == 4:
        second = "abde,def->abf" if equation.endswith("abde") else "adbe,def->abf"
        return layers.EinsumDense(second, (steps, d.width()), bias_axes="f")(y)
    return y if y.shape[1] else layers.Reshape((steps, width))(y)


def _dot(d: Sequence, x: Tensor) -> Tensor:
    other = layers.ZeroPadding1D(1)(d.dense(x, x.shape[2]))
    same = d.dense(x)
    axes, pair = d.choose((2, [x, other]), ((1, 1), [x, same]), ((-1, 2), [other, x]), ((1, -2), [same, x]))
    return layers.Dot(axes, normalize=d.choose(False, True))(pair)


def _repeat_vector(d: Sequence, x: Tensor) -> Tensor:
    return layers.RepeatVector(d.choose(1, 3))(d.choose(layers.GlobalAveragePooling1D(), layers.LSTM(4))(x))


def _residual(d: Sequence, x: Tensor) -> Tensor:
    return layers.Add()([x, d.dense(d.dense(x), x.shape[2])])


def _gate(d: Sequence, x: Tensor) -> Tensor:
    """One factor per channel, from the whole sequence."""
    pooled = layers.GlobalAveragePooling1D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Dense(x.shape[2], activation="sigmoid")(pooled)])


_STEPS: dict[str, Callable[[Sequence, Tensor], Tensor]] = {
    **{kind: _recurrent(kind) for kind in ("SimpleRNN", "LSTM", "GRU")},
    **{f"ConvLSTM{rank}D": _conv_lstm(rank) for rank in (1, 2, 3)},
    "RNN": _rnn,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "MultiHeadAttention": _multi_head,
    "GroupedQueryAttention": _grouped_query,
    "Attention": _attention,
    "AdditiveAttention": _additive,
    "EinsumDense": _einsum,
    "Dot": _dot,
    "RepeatVector": _repeat_vector,
    "Dense": Sequence.dense,
    "LayerNormalization": lambda d, x: layers.LayerNormalization()(x),
    "BatchNormalization": lambda d, x: layers.BatchNormalization()(x),
    "residual": _residual,
    "Concatenate": lambda d, x: layers.Concatenate()([x, d.dense(x)]),
    "Permute": lambda d, x: layers.Permute((2, 1))(x),
    "gate": _gate,
}


def build_model(draw: Draw, kind: str) -> keras.Model:
    """A model of one to four steps, one of which holds the kind."""
    drawing = Sequence(draw)
    tokens = drawing.choose(False, False, True)
    source = keras.Input((4,), dtype="int32") if tokens else keras.Input((4, 3))
    x = layers.Embedding(6, 5)(source) if tokens else layers.Dense(5)(source)
    filling = [drawing.choose(*FILLING, *KINDS) for _ in range(draw(st.integers(0, STEPS - 1)))]
    position = draw(st.integers(0, len(filling)))
    for step in (*filling[:position], kind, *filling[position:]):
        x = drawing.step(x, step)
    end = drawing.choose("flat", "mean", "last")
    if end == "last":
        x = layers.LSTM(drawing.width())(x)
    else:
        x = layers.Flatten()(x) if end == "flat" else layers.GlobalAveragePooling1D()(x)
    return keras.Model(source, layers.Dense(3)(x))
