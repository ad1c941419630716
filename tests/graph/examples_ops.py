"""Examples of operations of `keras.ops`; see `examples.py`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Function = Callable[[Any], Any]


def _image(function: Function, *, channels: int = 6, activation: str | None = None) -> keras.Model:
    """conv → function → conv → dense."""
    image = keras.Input((6, 6, 3))
    x = function(layers.Conv2D(channels, 3, padding="same", activation=activation)(image))
    x = layers.Conv2D(5, 1)(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _ends(function: Function) -> keras.Model:
    """conv → function → flatten → dense, for functions that change the rank."""
    image = keras.Input((6, 6, 3))
    x = function(layers.Conv2D(6, 3, strides=2)(image))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _pair(function: Callable[[Any, Any], Any]) -> keras.Model:
    """Two branches that meet."""
    image = keras.Input((6, 6, 3))
    first = layers.Conv2D(6, 3, padding="same", activation="softplus")(image)
    second = layers.Conv2D(6, 1, activation="sigmoid")(image)
    x = layers.Conv2D(4, 1)(function(first, second))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _rows(function: Function) -> keras.Model:
    """Two sequences that meet: (steps, channels) each."""
    sequence = keras.Input((4, 5))
    first, second = (layers.Dense(6, activation="sigmoid")(sequence) for _ in range(2))
    x = layers.Dense(7)(function([first, second]))
    return keras.Model(sequence, layers.Dense(3)(layers.Flatten()(x)))


def _number(x: Any) -> Any:
    """Comparisons and logical operations give truth values, which a convolution cannot read."""
    return ops.cast(x, "float32")


def _positive(function: Function) -> Function:
    return lambda x: function(x * x + 0.1)


# What needs numbers above zero, or arguments.
UNARY: dict[str, Function] = {
    "Cast": lambda x: ops.cast(x, "float16"),
    "Clip": lambda x: ops.clip(x, -0.5, 0.5),
    "Log": _positive(ops.log),
    "Log10": _positive(ops.log10),
    "Log2": _positive(ops.log2),
    "LogicalNot": lambda x: _number(ops.logical_not(x > 0)),
    "Reciprocal": _positive(ops.reciprocal),
    "Rsqrt": _positive(ops.rsqrt),
    "SaturateCast": lambda x: ops.saturate_cast(x, "float32"),
    "Sqrt": _positive(ops.sqrt),
    "Log1p": _positive(ops.log1p),
    "Elu": lambda x: ops.elu(x, alpha=0.7),
}
BY_NAME = (
    *("Absolute", "Ceil", "Celu", "ConvertToTensor", "Copy", "Cos", "Erf", "Exp", "Expm1", "Floor", "Gelu"),
    *("HardSigmoid", "HardSilu", "HardTanh", "LeakyRelu", "LogSigmoid", "Negative", "Relu", "Relu6", "Round"),
    *("Selu", "Sigmoid", "Sign", "Silu", "Sin", "SoftShrink", "Softplus", "Softsign", "Square"),
    *("StopGradient", "Tanh", "TanhShrink"),
)
FACTORS = np.linspace(0.5, 1.5, 6).astype(np.float32)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def unary(name: str) -> Function:
    return UNARY.get(name) or getattr(ops, _snake(name))


def _reducing(reduce: Callable[..., Any]) -> keras.Model:
    """Over rows, where channels pass on, and over channels; both results meet."""

    def function(x: Any) -> Any:
        return reduce(x, axis=1, keepdims=True) * reduce(x, axis=(-1,), keepdims=True)

    return _image(function, activation="sigmoid")


def _around(function: Callable[..., Any], *steps: tuple[Any, ...]) -> keras.Model:
    """Three steps that bring the channels back; after two, a rule that reverses would look right."""

    def turn(x: Any) -> Any:
        for arguments in steps:
            x = ops.abs(function(x, *arguments))
        return x

    return _image(turn)


OPS: dict[str, Callable[[], keras.Model]] = {
    **{f"ops.{name}": lambda name=name: _image(unary(name)) for name in (*BY_NAME, *UNARY)},
    "ops.Add": lambda: _image(lambda x: x + FACTORS),
    "ops.Subtract": lambda: _pair(lambda x, y: x - y),
    "ops.Multiply": lambda: _image(lambda x: x * FACTORS.reshape(1, 1, 1, 6), activation="sigmoid"),
    "ops.Divide": lambda: _pair(ops.divide),
    "ops.TrueDivide": lambda: _pair(lambda x, y: x / y),
    "ops.DivideNoNan": lambda: _pair(ops.divide_no_nan),
    "ops.FloorDivide": lambda: _pair(lambda x, y: 4 * x // y),
    "ops.Mod": lambda: _pair(lambda x, y: x % y),
    "ops.Power": lambda: _image(lambda x: x**2),
    "ops.Maximum": lambda: _pair(ops.maximum),
    "ops.Minimum": lambda: _pair(ops.minimum),
    "ops.Where": lambda: _image(lambda x: ops.where(x > FACTORS - 1, x, -FACTORS)),
    "ops.Equal": lambda: _pair(lambda x, y: _number(ops.equal(x > 0.7, y > 0.5))),
    "ops.NotEqual": lambda: _pair(lambda x, y: _number(ops.not_equal(x > 0.7, y > 0.5))),
    "ops.Greater": lambda: _pair(lambda x, y: _number(x > y)),
    "ops.GreaterEqual": lambda: _pair(lambda x, y: _number(x >= y)),
    "ops.Less": lambda: _pair(lambda x, y: _number(x < y)),
    "ops.LessEqual": lambda: _pair(lambda x, y: _number(x <= y)),
    "ops.LogicalAnd": lambda: _pair(lambda x, y: _number(ops.logical_and(x > 0.7, y > 0.5))),
    "ops.LogicalOr": lambda: _pair(lambda x, y: _number(ops.logical_or(x > 0.7, y > 0.5))),
    "ops.Softmax": lambda: _image(lambda x: ops.softmax(x, axis=1)),
    "ops.LogSoftmax": lambda: _image(lambda x: ops.log_softmax(x, axis=2)),
    "ops.Normalize": lambda: _image(lambda x: ops.normalize(x, axis=-1), activation="sigmoid"),
    "ops.AveragePool": lambda: _image(lambda x: ops.average_pool(x, 2)),
    "ops.MaxPool": lambda: _image(lambda x: ops.max_pool(x, 2)),
    "ops.Resize": lambda: _image(lambda x: ops.image.resize(x, (4, 9))),
    "ops.Concatenate": lambda: _pair(lambda x, y: ops.concatenate([x, y], axis=-1)),
    "ops.DepthToSpace": lambda: _image(lambda x: ops.depth_to_space(x, 2), channels=20),
    "ops.SpaceToDepth": lambda: _image(lambda x: ops.space_to_depth(x, 2)),
    "ops.ExpandDims": lambda: _ends(lambda x: ops.expand_dims(x, (1, 3))),
    "ops.Flip": lambda: _image(lambda x: ops.flip(x, axis=-1)),
    "ops.Moveaxis": lambda: _around(ops.moveaxis, (-1, 1), (1, 2), (2, 3)),
    "ops.Swapaxes": lambda: _around(ops.swapaxes, (1, 3), (1, 2), (2, 3)),
    "ops.Transpose": lambda: _around(ops.transpose, *[((0, 3, 1, 2),)] * 3),
    "ops.Pad": lambda: _image(lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 2), (2, 1)))),
    "ops.Repeat": lambda: _image(lambda x: ops.repeat(x, 2, axis=-1)),
    "ops.Tile": lambda: _image(lambda x: ops.tile(x, (1, 2, 1, 3))),
    "ops.Roll": lambda: _image(lambda x: ops.roll(x, 2, axis=1)),
    "ops.Squeeze": lambda: _image(
        lambda x: ops.expand_dims(ops.squeeze(ops.mean(x, axis=1, keepdims=True)), axis=1)
    ),
    "ops.Stack": lambda: _rows(lambda xy: ops.stack(xy, axis=1)),
    "ops.Unstack": lambda: _rows(lambda xy: ops.concatenate(ops.unstack(xy[0], axis=1), axis=-1)),
    "ops.Take": lambda: _rows(lambda xy: ops.take(xy[0], [3, 1], axis=1)),
    "ops.Reshape": lambda: _image(lambda x: ops.reshape(x, (-1, 3, 12, 6))),
    "ops.Split": lambda: _image(lambda x: ops.split(x, [1, 3], axis=-1)[1] * 2 + ops.split(x, 3, axis=-1)[2]),
    "ops.GetItem": lambda: _image(lambda x: x[:, 1:, ::2, 1:5] * x[:, 1:, ::2, 4][..., None]),
    **{
        f"ops.{name}": lambda name=name: _reducing(getattr(ops, name.lower()))
        for name in ("Sum", "Mean", "Var", "Std", "Max", "Min")
    },
    "ops.Amax": lambda: _ends(lambda x: ops.amax(x, axis=(1, 2))),
    "ops.Amin": lambda: _ends(lambda x: ops.amin(x, axis=1)),
    "ops.All": lambda: _ends(lambda x: _number(ops.all(x > -0.5, axis=1))),
    "ops.Any": lambda: _ends(lambda x: _number(ops.any(x > 0, axis=1))),
    "ops.Prod": lambda: _ends(lambda x: ops.prod(x, axis=1)),
    "ops.Logsumexp": lambda: _ends(lambda x: ops.logsumexp(x, axis=1)),
    "ops.Matmul": lambda: _rows(
        lambda xy: ops.matmul(ops.matmul(xy[0], ops.transpose(xy[1], (0, 2, 1))), xy[1])
    ),
    "ops.Einsum": lambda: _rows(lambda xy: _attend(*xy)),
}


def _attend(x: Any, y: Any) -> Any:
    scores = ops.einsum("bij,bkj->bik", ops.einsum("bij,j->bij", x, FACTORS), y)
    weights = np.linspace(-1, 1, 16).reshape(4, 4).astype(np.float32)
    return ops.einsum("bik,b...kj->b...ij", ops.einsum("bij,jk->bik", scores, weights), y)
