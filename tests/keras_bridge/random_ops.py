"""Small Keras models drawn at random from operations of `keras.ops` and operators on Keras tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from graph.examples_ops import BY_NAME, OPS, UNARY, unary
from hypothesis import strategies as st
from keras import layers, ops
from keras_bridge.law import Draw

Tensor = Any
Step = Callable[["Image", Tensor], Tensor]
ELEMENTWISE = tuple(f"ops.{name}" for name in (*BY_NAME, *UNARY))
KINDS = tuple(kind for kind in OPS if kind not in ELEMENTWISE)
LARGEST = 12
"""Sizes are cut down to this, so that models stay small."""


@dataclass
class Image:
    """A model while it is drawn: one tensor of (height, width, channels) that each step takes on."""

    draw: Draw

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def axis(self) -> int:
        return self.choose(1, 2, 3, -1)

    def branch(self, x: Tensor, width: int = 0) -> Tensor:
        activation = self.choose(None, "sigmoid", "tanh")
        return layers.Dense(width or x.shape[-1], activation=activation)(x)

    def array(self, x: Tensor) -> Any:
        """One value for all, one per channel, or one per position and channel."""
        shape = self.choose(
            (), x.shape[-1:], (1, 1, 1, x.shape[-1]), x.shape[2:], (x.shape[1], 1, 1), x.shape[1:]
        )
        return np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape).astype(np.float32)

    def step(self, x: Tensor, kind: str) -> Tensor:
        y = STEPS[kind.removeprefix("ops.")](self, x)
        y = y[:, :LARGEST, :LARGEST, :LARGEST] if max(y.shape[1:]) > LARGEST else y
        return layers.Activation("tanh")(y) if kind.removeprefix("ops.") in GROWING else y


def _apply(name: str) -> Step:
    return lambda d, x: unary(name)(x)


def _binary(function: Callable[[Any, Any], Tensor]) -> Step:
    """With another branch, an array, a gate per channel, or the same tensor."""

    def step(d: Image, x: Tensor) -> Tensor:
        match d.choose("branch", "array", "gate", "itself"):
            case "branch":
                other = d.branch(x)
            case "array":
                other = d.array(x)
            case "gate":
                other = d.branch(ops.mean(x, axis=(1, 2), keepdims=True), x.shape[-1])
            case _:
                other = x
        return function(x, other)

    return step


def _compared(function: Callable[[Any, Any], Tensor]) -> Step:
    return _binary(lambda x, y: x * ops.cast(function(x, y), "float32") + x)


def _logical(function: Callable[[Any, Any], Tensor]) -> Step:
    return _binary(lambda x, y: ops.cast(function(x > 0.1, y > 0.2), "float32"))


def _reduce(name: str) -> Step:
    def step(d: Image, x: Tensor) -> Tensor:
        axes = d.choose((1,), (2,), (3,), (1, 2), (1, 3), -1, (1, 2, 3))
        function = getattr(ops, name.lower())
        value = x > -0.3 if name in ("All", "Any") else x
        if d.choose(True, False):
            y = function(value, axis=axes, keepdims=True)
        else:
            gone = sorted(a % 4 for a in ([axes] if isinstance(axes, int) else axes))
            y = ops.expand_dims(function(value, axis=axes), gone)
        y = ops.cast(y, "float32")
        return d.choose(lambda: y, lambda: x * y, lambda: x - y)()

    return step


def _get_item(d: Image, x: Tensor) -> Tensor:
    key: list[Any] = [slice(None)]
    picked = []
    for axis, size in enumerate(x.shape[1:], start=1):
        match d.choose("all", "part", "part", "every other", "reversed", "one"):
            case "part":
                start = d.draw(st.integers(0, size - 1))
                key.append(
                    slice(d.choose(start, start - size), d.choose(None, start + 1 + (size - start) // 2))
                )
            case "every other":
                key.append(slice(None, None, 2))
            case "reversed":
                key.append(slice(None, None, -1))
            case "one":
                picked.append(axis)
                key.append(d.draw(st.integers(-size, size - 1)))
            case _:
                key.append(slice(None))
    y = x[tuple(key)]
    return ops.expand_dims(y, picked) if picked else y


def _split(d: Image, x: Tensor) -> Tensor:
    axis = d.axis()
    size = x.shape[axis]
    if size < 2:
        return ops.split(x, 1, axis=axis)[0]
    if size % 2 == 0 and d.choose(True, False):
        first, second = ops.split(x, 2, axis=axis)
        return first * second
    first, second = ops.split(x, [d.draw(st.integers(1, size - 1))], axis=axis)
    return d.choose(lambda: first, lambda: second, lambda: ops.concatenate([second, first], axis=axis))()


def _concatenate(d: Image, x: Tensor) -> Tensor:
    return ops.concatenate([x, d.branch(x), x][: d.choose(2, 3)], axis=d.axis())


def _stack(d: Image, x: Tensor) -> Tensor:
    stacked = ops.stack([x, d.branch(x)], axis=d.choose(1, 2, 3, 4))
    return d.choose(
        lambda: ops.sum(stacked, axis=d.choose(1, 2, 3)),
        lambda: ops.reshape(
            stacked, (-1, stacked.shape[1], stacked.shape[2], stacked.shape[3] * stacked.shape[4])
        ),
    )()


def _unstack(d: Image, x: Tensor) -> Tensor:
    axis = d.axis()
    parts = ops.unstack(x, axis=axis)
    return ops.stack([parts[0], parts[-1]], axis=axis)


def _pad(d: Image, x: Tensor) -> Tensor:
    widths = [(0, 0), *((d.choose(0, 1), d.choose(0, 2)) for _ in range(2)), d.choose((0, 0), (0, 0), (1, 2))]
    return ops.pad(x, widths, constant_values=d.choose(None, 0.0, 0.5))


def _reshape(d: Image, x: Tensor) -> Tensor:
    height, width, channels = x.shape[1:]
    return ops.reshape(
        x,
        (
            -1,
            *d.choose(
                (width, height, channels), (1, height * width, channels), (height, 1, width * channels)
            ),
        ),
    )


def _order(d: Image, x: Tensor) -> Tensor:
    return ops.transpose(x, (0, *d.draw(st.permutations((1, 2, 3)))))


def _matmul(d: Image, x: Tensor) -> Tensor:
    if d.choose(True, False):
        return x @ np.linspace(-1, 1, x.shape[-1] * 4).reshape(-1, 4).astype(np.float32)
    return ops.matmul(x, ops.swapaxes(d.branch(x), 2, 3))


def _einsum(d: Image, x: Tensor) -> Tensor:
    # Without "...": TensorFlow 2.21 crashes on it once in some hundred shapes, with no edgeprune involved.
    vector = np.linspace(0.5, 1.5, x.shape[-1]).astype(np.float32)
    matrix = np.linspace(-1, 1, x.shape[-1] * 4).reshape(-1, 4).astype(np.float32)
    subscripts, other = d.choose(
        ("bhwc,bhwc->bhwc", None),
        ("bhwc,bhvc->bhwv", None),
        ("bhwc,bhwd->bhcd", None),
        ("bhwc,c->bhwc", vector),
        ("bhwc,cd->bhwd", matrix),
    )
    return ops.einsum(subscripts, x, d.branch(x) if other is None else other)


def _where(d: Image, x: Tensor) -> Tensor:
    return ops.where(x > d.array(x) - 1, d.choose(x, d.array(x), 0.0), d.branch(x))


def _squeeze(d: Image, x: Tensor) -> Tensor:
    axis = d.choose(1, 2)
    y = ops.mean(x, axis=axis, keepdims=True)
    return ops.expand_dims(ops.squeeze(y, axis=axis) if min(x.shape[1:]) < 2 else ops.squeeze(y), axis)


def _even(x: Tensor) -> Tensor:
    return ops.image.resize(x, (4, 4))


STEPS: dict[str, Step] = {
    **{name: _apply(name) for name in (*BY_NAME, *UNARY)},
    **{name: _reduce(name) for name in ("All", "Any", "Amax", "Amin", "Max", "Min", "Mean", "Sum")},
    **{name: _reduce(name) for name in ("Logsumexp", "Prod", "Std", "Var")},
    "Add": _binary(lambda x, y: x + y),
    "Subtract": _binary(lambda x, y: ops.subtract(y, x)),
    "Multiply": _binary(lambda x, y: ops.multiply(y, x)),
    "Maximum": _binary(ops.maximum),
    "Minimum": _binary(ops.minimum),
    "Divide": _binary(lambda x, y: ops.divide(x, y * y + 0.5)),
    "TrueDivide": _binary(lambda x, y: x / (1.5 + y * y)),
    "DivideNoNan": _binary(lambda x, y: ops.divide_no_nan(x, y * y + 0.5)),
    "FloorDivide": _binary(lambda x, y: 4 * x // (y * y + 0.5)),
    "Mod": _binary(lambda x, y: x % (y * y + 0.5)),
    "Power": lambda d, x: x ** d.choose(2, 3),
    "Where": _where,
    "Equal": _logical(ops.equal),
    "NotEqual": _logical(ops.not_equal),
    "LogicalAnd": _logical(ops.logical_and),
    "LogicalOr": _logical(ops.logical_or),
    "Greater": _compared(lambda x, y: x > y),
    "GreaterEqual": _compared(lambda x, y: x >= y),
    "Less": _compared(lambda x, y: x < y),
    "LessEqual": _compared(lambda x, y: x <= y),
    "Softmax": lambda d, x: ops.softmax(x, axis=d.axis()),
    "LogSoftmax": lambda d, x: ops.log_softmax(x, axis=d.axis()),
    "Normalize": lambda d, x: ops.normalize(x, axis=d.axis()),
    "AveragePool": lambda d, x: ops.average_pool(x, 2, padding="same"),
    "MaxPool": lambda d, x: ops.max_pool(x, 2, strides=1, padding="same"),
    "Resize": lambda d, x: ops.image.resize(x, (5, 3), interpolation=d.choose("nearest", "bilinear")),
    "Concatenate": _concatenate,
    "Stack": _stack,
    "Unstack": _unstack,
    "Split": _split,
    "GetItem": _get_item,
    "Take": lambda d, x: ops.take(x, [0, x.shape[a := d.axis()] - 1, 0], axis=a),
    "Pad": _pad,
    "Reshape": _reshape,
    "Transpose": _order,
    "Moveaxis": lambda d, x: ops.moveaxis(x, d.axis(), d.axis()),
    "Swapaxes": lambda d, x: ops.swapaxes(x, d.axis(), d.axis()),
    "ExpandDims": lambda d, x: ops.sum(ops.expand_dims(x, a := d.choose(1, 2, 3, 4)), axis=a),
    "Squeeze": _squeeze,
    "Flip": lambda d, x: ops.flip(x, axis=d.axis()),
    "Roll": lambda d, x: ops.roll(x, 1, axis=d.axis()),
    "Tile": lambda d, x: ops.tile(x, (1, 1, d.choose(1, 2), d.choose(1, 2))),
    "Repeat": lambda d, x: ops.repeat(x, 2, axis=d.axis()),
    "DepthToSpace": lambda d, x: ops.depth_to_space(d.branch(x, 4 * d.choose(1, 2)), 2),
    "SpaceToDepth": lambda d, x: ops.space_to_depth(_even(x), 2),
    "Matmul": _matmul,
    "Einsum": _einsum,
}
GROWING = (
    "Exp",
    "Expm1",
    "Power",
    "Prod",
    "Reciprocal",
    "Rsqrt",
    "Matmul",
    "Einsum",
    "Sum",
    "FloorDivide",
    "Square",
)
"""After these, values are brought back to -1 … 1: float32 is compared to 1e-4."""


def build_model(draw: Draw, kind: str) -> keras.Model:
    """A model with an operation of that kind and two more; sometimes inside a nested model, called twice."""
    d = Image(draw)
    image = keras.Input((4, 3, 3))
    x = layers.Conv2D(5, 3, padding="same", activation=d.choose(None, "sigmoid"))(image)
    position = KINDS.index(kind) / len(KINDS)
    others = [_near(KINDS, position + 1 / 3, d), _near(KINDS, position + 2 / 3, d)]
    others.append(_near(ELEMENTWISE, position, d))
    if d.choose(True, False, False, False):
        inside = keras.Input(x.shape[1:])
        nested = keras.Model(inside, d.branch(d.step(inside, kind), 5))
        shape, x = x.shape, nested(x)
        again = nested(layers.Dense(5)(image)) if shape[1:] == (4, 3, 5) else x
        x = ops.concatenate([x, again], axis=d.choose(1, -1))
    else:
        others.insert(d.choose(0, 1, 2), kind)
    for other in others:
        x = d.step(x, other)
        if d.choose(True, False):
            x = layers.Conv2D(d.choose(4, 6), 1, activation=d.choose(None, "relu"))(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 1)(x))))


def _near(kinds: tuple[str, ...], position: float, d: Image) -> str:
    """One of eight kinds from that share of the list on: all come up evenly, not only what is asked for."""
    return kinds[(int(position * len(kinds)) + d.draw(st.integers(0, 7))) % len(kinds)]
