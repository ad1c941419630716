"""Bounds of weighted sums: convolutions, Dense, and their biases and activations."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeprune.graph.interval_functions import activate
from edgeprune.graph.intervals import BoundedCall, Bounds, Interval, unbounded
from edgeprune.graph.layergraph import Array, Layer
from edgeprune.graph.opshape import Shape

READING_WEIGHTS: Mapping[str, str] = {
    "Dense": "kernel",
    **{f"Conv{rank}D": "kernel" for rank in (1, 2, 3)},
    **{f"SeparableConv{rank}D": "pointwise_kernel" for rank in (1, 2)},
}
"""Layer kind → the weight that sums over its input's channels, of shape (..., channels, outputs)."""


def see(call: BoundedCall) -> Interval | None:
    """What the axis of the weight in `READING_WEIGHTS` sees: (..., channels), padding included.

    None where the layer is configured in a way that is not followed.
    """
    weights, config = call.layer.weights, call.layer.config
    if call.layer.kind == "Dense":
        known = set(weights) <= {"kernel", "bias"} and weights["kernel"].dtype.kind == "f"
        return call.inputs[0] if known else None
    if not _is_plain(call.layer):
        return None
    x = call.inputs[0].by_channel(call.input_shapes[0][-1])
    window = next(iter(weights.values())).shape[:-2]
    if _reads_padding(config, window, call.input_shapes[0]):
        x = x.with_zero()
    return _weigh_each(x, weights["depthwise_kernel"]) if "depthwise_kernel" in weights else x


def _is_plain(layer: Layer) -> bool:
    config, weights = layer.config, layer.weights
    known = {"kernel", "depthwise_kernel", "pointwise_kernel", "bias"}
    return (
        config.get("data_format") != "channels_first"
        and config.get("groups", 1) == 1
        and set(weights) <= known
        and all(w.dtype.kind == "f" for w in weights.values())
    )


def _reads_padding(config: Mapping[str, Any], window: Shape, shape: Shape) -> bool:
    """Whether a window ever reaches beyond the image, where it sees zeros."""
    padding = str(config.get("padding", "valid")).lower()
    if padding == "valid":
        return False
    strides, dilation = (_tuple(config.get(key, 1), len(window)) for key in ("strides", "dilation_rate"))
    for size, taps, stride, rate in zip(shape, window, strides, dilation, strict=False):
        reach = (taps - 1) * rate + 1
        if reach > 1 and (padding != "same" or not size or (-(-size // stride) - 1) * stride + reach > size):
            return True
    return False


def _tuple(value: Any, length: int) -> tuple[int, ...]:
    return (value,) * length if isinstance(value, int) else tuple(value)


def times(a: Bounds, b: Bounds) -> Bounds:
    """The product, where nothing times infinity is nothing: bounds stand for finite numbers."""
    with np.errstate(invalid="ignore"):
        return np.where((a == 0) | (b == 0), 0.0, a * b)


def scale(x: Interval, up: Bounds, down: Bounds) -> Interval:
    """Bounds of Σ x·w for one x, where `up` sums the positive and `down` the negative weights on it."""
    return Interval(low=times(x.low, up) + times(x.high, down), high=times(x.high, up) + times(x.low, down))


def _weigh_each(x: Interval, kernel: Array) -> Interval:
    """Bounds of a depthwise sum; output channel c·multiplier + j reads channel c."""
    taps = kernel.astype(np.float64).reshape(-1, *kernel.shape[-2:])
    wide = Interval(low=x.low[..., None], high=x.high[..., None])
    y = scale(wide, np.maximum(taps, 0).sum(axis=0), np.minimum(taps, 0).sum(axis=0))
    shape = (*x.low.shape[:-1], -1)
    return Interval(low=y.low.reshape(shape), high=y.high.reshape(shape))


def _weigh_all(x: Interval, kernel: Array) -> Interval:
    """Bounds of a sum over all channels and taps."""
    taps = kernel.astype(np.float64).reshape(-1, *kernel.shape[-2:])
    up, down = np.maximum(taps, 0).sum(axis=0), np.minimum(taps, 0).sum(axis=0)
    shape = (*x.low.shape[:-1], taps.shape[1])
    low, high = np.broadcast_to(x.low, shape), np.broadcast_to(x.high, shape)
    return Interval(low=_lowest(low, high, up, down), high=-_lowest(-high, -low, up, down))


def _lowest(low: Bounds, high: Bounds, up: Bounds, down: Bounds) -> Bounds:
    finite = np.where(np.isfinite(low), low, 0) @ up + np.where(np.isfinite(high), high, 0) @ down
    open_below = np.isinf(low).astype(float) @ (up > 0) + np.isinf(high).astype(float) @ (down < 0)
    return np.where(open_below > 0, -np.inf, finite)


def shift(x: Interval, by: Bounds) -> Interval:
    """Bounds of x + by."""
    return Interval(low=x.low + by, high=x.high + by)


def _finish(call: BoundedCall, x: Interval) -> Interval:
    """Bias and activation."""
    bias = call.layer.weights.get("bias")
    y = x if bias is None else shift(x, bias.astype(np.float64))
    return activate(y, call.layer.config.get("activation"))


def bound_sum(call: BoundedCall) -> Interval:
    """Bounds behind a layer of `READING_WEIGHTS`."""
    seen = see(call)
    if seen is None:
        return activate(unbounded(call.output_shape), call.layer.config.get("activation"))
    return _finish(call, _weigh_all(seen, call.layer.weights[READING_WEIGHTS[call.layer.kind]]))


def bound_depthwise(call: BoundedCall) -> Interval:
    """Bounds behind a depthwise convolution."""
    if not _is_plain(call.layer):
        return activate(unbounded(call.output_shape), call.layer.config.get("activation"))
    x, kernel = call.inputs[0].by_channel(call.input_shapes[0][-1]), call.layer.weights["kernel"]
    if _reads_padding(call.layer.config, kernel.shape[:-2], call.input_shapes[0]):
        x = x.with_zero()
    return _finish(call, _weigh_each(x, kernel))
