"""How each layer kind maps bounds of its inputs to bounds of its output: one function per kind.

A kind that is not listed gives no bounds, which is always right and merely proves less.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from edgeprune.graph.interval_functions import CURVES, activate, bend
from edgeprune.graph.interval_sums import READING_WEIGHTS, bound_depthwise, bound_sum, scale, shift, times
from edgeprune.graph.intervals import BoundedCall, Bounds, Interval, filled, unbounded
from edgeprune.graph.layergraph import Read

IntervalRule = Callable[[BoundedCall], Interval]

_LARGEST_RESHAPE = 2**22
"""Elements beyond which bounds of single positions are not followed through a reshape."""


def _bound_batch_norm(call: BoundedCall) -> Interval:
    weights = {name: w.astype(np.float64) for name, w in call.layer.weights.items()}
    axis = call.layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) else axis
    rank = len(call.output_shape)
    shape = [1] * rank
    shape[axis - 1 if axis > 0 else axis] = -1
    factor = weights.get("gamma", np.ones(1)) / np.sqrt(
        weights["moving_variance"] + call.layer.config.get("epsilon", 1e-3)
    )
    offset = weights.get("beta", np.zeros(1)) - weights["moving_mean"] * factor
    return _affine(call.inputs[0], factor.reshape(shape), offset.reshape(shape))


def _affine(x: Interval, factor: Bounds, offset: Bounds) -> Interval:
    return shift(scale(x, np.maximum(factor, 0), np.minimum(factor, 0)), offset)


def _bound_rescaling(call: BoundedCall) -> Interval:
    factor, offset = (
        np.asarray(call.layer.config.get(k, d), np.float64) for k, d in (("scale", 1), ("offset", 0))
    )
    return _affine(call.inputs[0], factor, offset)


def _bound_prelu(call: BoundedCall) -> Interval:
    x, alpha = call.inputs[0], call.layer.weights["alpha"].astype(np.float64)
    below = Interval(low=np.minimum(x.low, 0), high=np.minimum(x.high, 0))
    bent = _affine(below, alpha, np.zeros(1))
    return Interval(low=bent.low + np.maximum(x.low, 0), high=bent.high + np.maximum(x.high, 0))


def _add(a: Interval, b: Interval) -> Interval:
    return Interval(low=a.low + b.low, high=a.high + b.high)


def _subtract(a: Interval, b: Interval) -> Interval:
    return Interval(low=a.low - b.high, high=a.high - b.low)


def _multiply(a: Interval, b: Interval) -> Interval:
    ends = [times(p, q) for p in (a.low, a.high) for q in (b.low, b.high)]
    return Interval(low=np.minimum.reduce(ends), high=np.maximum.reduce(ends))


def _maximum(a: Interval, b: Interval) -> Interval:
    return Interval(low=np.maximum(a.low, b.low), high=np.maximum(a.high, b.high))


def _minimum(a: Interval, b: Interval) -> Interval:
    return Interval(low=np.minimum(a.low, b.low), high=np.minimum(a.high, b.high))


_Merge = Callable[[Interval, Interval], Interval]
_MERGES: Mapping[str, _Merge] = {
    "Add": _add,
    "Subtract": _subtract,
    "Multiply": _multiply,
    "Maximum": _maximum,
    "Minimum": _minimum,
}


def _fold_left(merge: _Merge, operands: Sequence[Interval]) -> Interval:
    result, *rest = operands
    for operand in rest:
        result = merge(result, operand)
    return result


def _bound_average(call: BoundedCall) -> Interval:
    total = _fold_left(_add, call.inputs)
    return Interval(low=total.low / len(call.inputs), high=total.high / len(call.inputs))


def _bound_operator(call: BoundedCall, merge: _Merge) -> Interval:
    """`x + y` and its like, where either side may be a number or an array."""
    operands = []
    for name in ("x1", "x2"):
        value = call.arguments.get(name)
        if isinstance(value, Read):
            operands.append(call.inputs[value.index])
        elif value is None or np.ndim(value) > len(call.output_shape):
            return unbounded(call.output_shape)
        else:
            point = np.asarray(value, np.float64)
            operands.append(Interval(low=point, high=point))
    met = merge(*operands)
    missing = (1,) * (len(call.output_shape) - met.low.ndim)
    return Interval(
        low=met.low.reshape(*missing, *met.low.shape), high=met.high.reshape(*missing, *met.high.shape)
    )


def _bound_concatenate(call: BoundedCall) -> Interval:
    axis, rank = int(call.layer.config.get("axis", -1)), len(call.output_shape)
    axis = axis - 1 if axis > 0 else axis + rank
    if not 0 <= axis < rank or any(not shape[axis] for shape in call.input_shapes):
        return unbounded(call.output_shape)
    widest = [max(x.low.shape[k] for x in call.inputs) for k in range(rank)]
    shapes = [[shape[axis] if k == axis else widest[k] for k in range(rank)] for shape in call.input_shapes]
    pairs = list(zip(call.inputs, shapes, strict=True))
    return Interval(
        low=np.concatenate([np.broadcast_to(x.low, s) for x, s in pairs], axis=axis),
        high=np.concatenate([np.broadcast_to(x.high, s) for x, s in pairs], axis=axis),
    )


def _bound_mixture(call: BoundedCall) -> Interval:
    """Pooling, cropping, interpolation: each value lies between values of the same channel."""
    settings = call.layer.config
    if settings.get("data_format") == "channels_first" or not (call.output_shape and call.output_shape[-1]):
        return unbounded(call.output_shape)
    if settings.get("interpolation", "nearest") not in ("nearest", "bilinear"):
        return unbounded(call.output_shape)
    width = call.output_shape[-1]
    bounds = call.inputs[0].by_channel(width)
    shape = (*(1,) * (len(call.output_shape) - 1), width)
    return Interval(low=bounds.low.reshape(shape), high=bounds.high.reshape(shape))


def _bound_padding(call: BoundedCall) -> Interval:
    return _bound_mixture(call).with_zero()


def _bound_reshape(call: BoundedCall) -> Interval:
    old, new = call.input_shapes[0], call.output_shape
    if old == new:
        return call.inputs[0]
    if call.layer.config.get("data_format") == "channels_first" or any(not d for d in (*old, *new)):
        return unbounded(new)
    if prod(old) > _LARGEST_RESHAPE:
        x = call.inputs[0]
        return filled(new, float(x.low.min()), float(x.high.max()))
    low, high = (np.broadcast_to(b, old).reshape(new) for b in (call.inputs[0].low, call.inputs[0].high))
    for axis in range(len(new) - 1):
        first = [b.take([0], axis=axis) for b in (low, high)]
        if (low == first[0]).all() and (high == first[1]).all():
            low, high = first
    return Interval(low=low, high=high)


def _bound_permute(call: BoundedCall) -> Interval:
    order = [d - 1 for d in call.layer.config["dims"]]
    return Interval(low=call.inputs[0].low.transpose(order), high=call.inputs[0].high.transpose(order))


def _bound_repeat(call: BoundedCall) -> Interval:
    return Interval(low=call.inputs[0].low[None], high=call.inputs[0].high[None])


def _bound_embedding(call: BoundedCall) -> Interval:
    table = call.layer.weights.get("embeddings")
    if table is None or set(call.layer.weights) != {"embeddings"} or table.dtype.kind != "f":
        return unbounded(call.output_shape)
    shape = (*(1,) * (len(call.output_shape) - 1), -1)
    return Interval(
        low=table.min(axis=0).astype(np.float64).reshape(shape),
        high=table.max(axis=0).astype(np.float64).reshape(shape),
    )


def _pass(call: BoundedCall) -> Interval:
    return call.inputs[0]


def _bound_function(call: BoundedCall, name: str) -> Interval:
    """An activation called as a function; only without settings."""
    if set(call.arguments) - {"x"}:
        return unbounded(call.output_shape)
    return bend(call.inputs[0], CURVES[name])


_RANKS = (1, 2, 3)
INTERVAL_RULES: dict[str, IntervalRule] = {
    **dict.fromkeys(READING_WEIGHTS, bound_sum),
    **{f"DepthwiseConv{rank}D": bound_depthwise for rank in (1, 2)},
    "BatchNormalization": _bound_batch_norm,
    "Rescaling": _bound_rescaling,
    "Activation": lambda call: activate(call.inputs[0], call.layer.config.get("activation")),
    **{
        kind: lambda call: activate(
            call.inputs[0], {"class_name": call.layer.kind, "config": call.layer.config}
        )
        for kind in ("ReLU", "LeakyReLU", "ELU")
    },
    "PReLU": _bound_prelu,
    "Softmax": lambda call: filled(call.output_shape, 0.0, 1.0),
    **{kind: lambda call, m=merge: _fold_left(m, call.inputs) for kind, merge in _MERGES.items()},  # type: ignore[misc]
    **{f"ops.{kind}": lambda call, m=merge: _bound_operator(call, m) for kind, merge in _MERGES.items()},  # type: ignore[misc]
    **{
        f"ops.{kind}": lambda call, n=name: _bound_function(call, n)  # type: ignore[misc]
        for kind, name in (("Relu", "relu"), ("Relu6", "relu6"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"))
    },
    "Average": _bound_average,
    "Concatenate": _bound_concatenate,
    **{f"{kind}Pooling{rank}D": _bound_mixture for kind in ("Max", "Average") for rank in _RANKS},
    **{f"Global{kind}Pooling{rank}D": _bound_mixture for kind in ("Max", "Average") for rank in _RANKS},
    **{f"Cropping{rank}D": _bound_mixture for rank in _RANKS},
    **{f"UpSampling{rank}D": _bound_mixture for rank in _RANKS},
    **{f"ZeroPadding{rank}D": _bound_padding for rank in _RANKS},
    "Flatten": _bound_reshape,
    "Reshape": _bound_reshape,
    "Permute": _bound_permute,
    "RepeatVector": _bound_repeat,
    "Embedding": _bound_embedding,
    **dict.fromkeys(
        (
            "Identity",
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "SpatialDropout3D",
            "GaussianDropout",
            "GaussianNoise",
            "AlphaDropout",
            "ActivityRegularization",
        ),
        _pass,
    ),
}
"""Layer kind → its function."""
