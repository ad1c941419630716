"""What ops do to each number alone, as real functions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.model import Op

Curve = Callable[..., Array]
_TINY = 1e-30
"""Below it logarithms and roots have no value that could be stored; ranges reach a little below zero."""


def evaluate(op: Op, inputs: list[Array]) -> Array | None:
    """The op's output of arrays that are looked at number by number; None where it is no such op.

    Args:
        op: elementwise, of real numbers, however these are stored.
        inputs: its inputs as float64 or bool, all of one shape or scalars.
    """
    curve = _CURVES.get(op.name)
    if curve is None:
        return None
    if op.name == "LEAKY_RELU":
        x = inputs[0]
        return np.where(x < 0, float(op.options["alpha"]) * x, x)
    if op.name == "GELU":
        return _gelu_tanh(inputs[0]) if op.options.get("approximate") else _gelu(inputs[0])
    made = np.asarray(curve(*inputs))
    fused = op.options.get("fused_activation_function", "NONE")
    if fused not in _FUSED:
        return None
    return np.clip(made, *_FUSED[fused]) if fused != "NONE" else made


def is_curve(name: str) -> bool:
    """Whether an op looks at each number alone."""
    return name in _CURVES


def _gelu(x: Array) -> Array:
    return np.asarray(0.5 * x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))))


def _divide(x: Array, y: Array) -> Array:
    return np.asarray(x / np.where(y == 0, _TINY, y))


def _power(x: Array, y: Array) -> Array:
    return np.nan_to_num(np.power(x, y))


def _same(x: Array) -> Array:
    return x


_FUSED: dict[Any, tuple[float, float]] = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
_CURVES: dict[str, Curve] = {
    "ABS": np.abs,
    "ADD": np.add,
    "CEIL": np.ceil,
    "COS": np.cos,
    "DEQUANTIZE": _same,
    "DIV": _divide,
    "ELU": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "EQUAL": np.equal,
    "EXP": lambda x: np.exp(np.minimum(x, 700.0)),
    "FLOOR": np.floor,
    "GELU": _gelu,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "LEAKY_RELU": _same,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "LOG": lambda x: np.log(np.maximum(x, _TINY)),
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_NOT": np.logical_not,
    "LOGICAL_OR": np.logical_or,
    "LOGISTIC": lambda x: 1.0 / (1.0 + np.exp(-np.clip(x, -700.0, 700.0))),
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "NEG": np.negative,
    "NOT_EQUAL": np.not_equal,
    "POW": _power,
    "QUANTIZE": _same,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "RELU_0_TO_1": lambda x: np.clip(x, 0, 1),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
    "ROUND": np.rint,
    "RSQRT": lambda x: 1.0 / np.sqrt(np.maximum(x, _TINY)),
    "SELECT": np.where,
    "SELECT_V2": np.where,
    "SIGN": np.sign,
    "SIN": np.sin,
    "SQRT": lambda x: np.sqrt(np.maximum(x, 0)),
    "SQUARE": np.square,
    "SQUARED_DIFFERENCE": lambda x, y: np.square(x - y),
    "SUB": np.subtract,
    "TANH": np.tanh,
}
