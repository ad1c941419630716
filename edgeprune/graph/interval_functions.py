"""Bounds of activations: the formulas of Keras 3 in float64, with what they can give at all.

A function that rises everywhere maps bounds to bounds. One that falls first and then rises (silu)
lies between its smallest value and the larger of the two ends. An unknown activation gives no bounds.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.graph.intervals import Bounds, Interval

Function = Callable[[Bounds], Bounds]
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """An activation.

    Attributes:
        of: the function.
        low, high: no value is beyond these.
        rises: whether it never falls; else it falls to `low` and rises from there.
    """

    of: Function
    low: float = -math.inf
    high: float = math.inf
    rises: bool = True


def activate(bounds: Interval, activation: Any) -> Interval:
    """Bounds behind an activation as a config holds it: a name, a serialised function or layer, or None."""
    name, settings = _read(activation)
    if name in ("softmax", "sparsemax"):
        return _everywhere(bounds, 0.0, 1.0)
    if name == "log_softmax":
        return _everywhere(bounds, -math.inf, 0.0)
    curve = _find_curve(name, settings)
    return _everywhere(bounds, -math.inf, math.inf) if curve is None else bend(bounds, curve)


def bend(bounds: Interval, curve: Curve) -> Interval:
    """Bounds behind an element-wise function."""
    with np.errstate(all="ignore"):
        at_low, at_high = curve.of(bounds.low), curve.of(bounds.high)
    if curve.rises:
        low, high = at_low, at_high
    else:
        left = np.where(np.isinf(bounds.low), 0.0, at_low)  # all such curves come down from 0
        point = bounds.low == bounds.high
        low, high = np.where(point, at_low, curve.low), np.fmax(left, at_high)
    low, high = np.where(np.isnan(low), curve.low, low), np.where(np.isnan(high), curve.high, high)
    return Interval(low=np.maximum(low, curve.low), high=np.minimum(high, curve.high))


def relu_curve(
    *, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Curve:
    """Keras' ReLU; falls nowhere if slope and threshold are not negative."""
    top = math.inf if max_value is None else float(max_value)

    def of(x: Bounds) -> Bounds:
        below = np.zeros_like(x) if negative_slope == 0 else negative_slope * (x - threshold)
        return np.minimum(np.where(x >= threshold, x, below), top)

    return Curve(of=of, low=0.0 if negative_slope == 0 else -math.inf, high=top)


def elu_curve(alpha: float = 1.0) -> Curve:
    """ELU: x above 0, alpha · (e^x - 1) below; alpha must not be negative."""
    return Curve(of=lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), low=-alpha)


def _everywhere(bounds: Interval, low: float, high: float) -> Interval:
    return Interval(low=np.full_like(bounds.low, low), high=np.full_like(bounds.high, high))


def _read(activation: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(activation, Mapping):
        config = activation.get("config", {})
        if isinstance(config, str):
            return config, {}
        return str(activation.get("class_name", "")), config or {}
    return ("linear" if activation is None else str(activation)), {}


def _find_curve(name: str, settings: Mapping[str, Any]) -> Curve | None:
    if name in LAYER_CURVES:
        return LAYER_CURVES[name](settings)
    return None if settings else CURVES.get(name)


def _from_relu(settings: Mapping[str, Any]) -> Curve | None:
    slope, top = settings.get("negative_slope") or 0.0, settings.get("max_value")
    threshold = settings.get("threshold") or 0.0
    plain = slope >= 0 and threshold >= 0 and (top is None or top >= threshold)
    return relu_curve(negative_slope=slope, max_value=top, threshold=threshold) if plain else None


def _from_leaky_relu(settings: Mapping[str, Any]) -> Curve | None:
    slope = settings.get("negative_slope", 0.3)
    return relu_curve(negative_slope=slope) if slope >= 0 else None


def _from_elu(settings: Mapping[str, Any]) -> Curve | None:
    alpha = settings.get("alpha", 1.0)
    return elu_curve(alpha) if alpha >= 0 else None


def _sigmoid(x: Bounds) -> Bounds:
    away = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1 / (1 + away), away / (1 + away))


def _softplus(x: Bounds) -> Bounds:
    y: Bounds = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def _gelu(x: Bounds) -> Bounds:
    share: Bounds = 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2)))
    return x * share


def _sparse_plus(x: Bounds) -> Bounds:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x))


LAYER_CURVES: Mapping[str, Callable[[Mapping[str, Any]], Curve | None]] = {
    "ReLU": _from_relu,
    "LeakyReLU": _from_leaky_relu,
    "ELU": _from_elu,
}
"""Activation layers with settings; None where the settings make it fall somewhere."""

CURVES: Mapping[str, Curve] = {
    "linear": Curve(of=lambda x: x),
    "relu": relu_curve(),
    "relu6": relu_curve(max_value=6.0),
    "leaky_relu": relu_curve(negative_slope=0.2),
    "elu": elu_curve(),
    "celu": elu_curve(),
    "selu": Curve(
        of=lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
        low=-_SELU_ALPHA * _SELU_SCALE,
    ),
    "sigmoid": Curve(of=_sigmoid, low=0.0, high=1.0),
    "hard_sigmoid": Curve(of=lambda x: np.clip(x / 6 + 0.5, 0, 1), low=0.0, high=1.0),
    "log_sigmoid": Curve(of=lambda x: -_softplus(-x), high=0.0),
    "tanh": Curve(of=np.tanh, low=-1.0, high=1.0),
    "hard_tanh": Curve(of=lambda x: np.clip(x, -1, 1), low=-1.0, high=1.0),
    "tanh_shrink": Curve(of=lambda x: x - np.tanh(x)),
    "softplus": Curve(of=_softplus, low=0.0),
    "softsign": Curve(of=lambda x: x / (1 + np.abs(x)), low=-1.0, high=1.0),
    "exponential": Curve(of=np.exp, low=0.0),
    "soft_shrink": Curve(of=lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    "hard_shrink": Curve(of=lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    "squareplus": Curve(of=lambda x: (x + np.sqrt(x * x + 4)) / 2, low=0.0),
    "sparse_plus": Curve(of=_sparse_plus, low=0.0),
    "sparse_sigmoid": Curve(of=lambda x: np.clip((x + 1) / 2, 0, 1), low=0.0, high=1.0),
    # The smallest values, rounded down: of x·sigmoid(x), x·Φ(x), x·tanh(softplus(x)), x·relu6(x + 3)/6.
    "silu": Curve(of=lambda x: x * _sigmoid(x), low=-0.27846455, rises=False),
    "swish": Curve(of=lambda x: x * _sigmoid(x), low=-0.27846455, rises=False),
    "gelu": Curve(of=_gelu, low=-0.16997121, rises=False),
    "mish": Curve(of=lambda x: x * np.tanh(_softplus(x)), low=-0.30884342, rises=False),
    "hard_silu": Curve(of=lambda x: x * np.clip(x / 6 + 0.5, 0, 1), low=-0.375, rises=False),
    "hard_swish": Curve(of=lambda x: x * np.clip(x / 6 + 0.5, 0, 1), low=-0.375, rises=False),
}
"""Activations by the name that stands in a config."""
