"""What the kernel of each kind of op counts up to, from the op's shape alone.

A law follows the loops of the CMSIS-NN kernel that runs the op: an inner product is taken two rows and two
columns at a time, four weights per step, so a law counts such steps, the leftovers of odd sizes, the copying
of patches (im2col) and the requantization of each output. What each count costs is fitted per core.

Adding a kind: one function, and its line in `FEATURES`.
"""

from collections.abc import Callable
from functools import lru_cache
from math import prod

from edgeprune.graph.opshape import OpShape

Counts = tuple[float, ...]


@lru_cache(maxsize=4096)
def _taps(inside: int, outside: int, window: int, stride: int, dilation: int) -> int:
    """Window positions that lie inside the input, summed over all outputs of one axis."""
    reach = (window - 1) * dilation + 1
    before = max((outside - 1) * stride + reach - inside, 0) // 2
    starts = (o * stride - before for o in range(outside))
    return sum(1 for start in starts for k in range(window) if 0 <= start + k * dilation < inside)


def _matmul(rows: int, columns: int, depth: int) -> Counts:
    """Counts of CMSIS-NN's `arm_nn_mat_mult_nt_t_s8`: rows are pixels, columns are output channels."""
    row_pairs, column_pairs = rows // 2, columns // 2
    odd_row, odd_column = rows % 2, columns % 2
    blocks = row_pairs * column_pairs
    return (
        column_pairs * depth,
        blocks * (depth // 16),
        blocks * (depth % 16 // 4),
        blocks * (depth % 4),
        blocks,
        column_pairs * odd_row * depth,
        column_pairs * odd_row,
        odd_column * rows * depth,
        odd_column * rows,
        column_pairs,
        1.0,
    )


def _conv_1x1(op: OpShape) -> Counts:
    """A 1x1 convolution: one matrix product, or one per output row where it has a stride."""
    assert op.filter is not None
    _, height, width, channels = op.output
    if op.stride == (1, 1):
        return _matmul(height * width, channels, op.filter[3])
    return tuple(height * count for count in _matmul(width, channels, op.filter[3]))


def _conv(op: OpShape) -> Counts:
    """A convolution through im2col: patches are copied, widened to 16 bit, multiplied in pairs."""
    assert op.filter is not None
    _, window_h, window_w, depth = op.filter
    _, in_h, in_w, in_channels = op.inputs[0]
    _, out_h, out_w, _ = op.output
    groups = max(in_channels // depth, 1)
    channels = op.filter[0] // groups
    pixels, patch = out_h * out_w, window_h * window_w * depth
    inside = _taps(in_h, out_h, window_h, op.stride[0], op.dilation[0]) * _taps(
        in_w, out_w, window_w, op.stride[1], op.dilation[1]
    )
    pairs, odd = pixels // 2, pixels % 2
    counts = (
        inside,
        inside * depth,
        pixels * window_h * window_w - inside,
        pixels * patch,
        pixels,
        pairs * (channels // 2) * (patch // 4),
        pairs * (channels // 2) * (patch % 4),
        pairs * (channels // 2),
        pairs * (channels % 2) * patch,
        pairs * (channels % 2),
        odd * channels * patch,
        odd * channels,
        1.0,
    )
    return counts if groups == 1 else tuple(groups * count for count in counts)


def _depthwise(op: OpShape) -> Counts:
    """A depthwise convolution, four channels at a time; taps in the padding are skipped."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    _, in_h, in_w, _ = op.inputs[0]
    _, out_h, out_w, _ = op.output
    rows = _taps(in_h, out_h, window_h, op.stride[0], op.dilation[0])
    columns = _taps(in_w, out_w, window_w, op.stride[1], op.dilation[1])
    fours, rest = channels // 4, channels % 4
    return (
        rows * columns * fours,
        rows * out_w * fours,
        out_h * out_w * fours,
        rows * columns * rest,
        out_h * out_w * rest,
        out_h * out_w,
        1.0,
    )


def _depthwise_by_four(op: OpShape) -> Counts:
    """A depthwise convolution whose channel multiplier is a multiple of four."""
    return (op.macs, prod(op.output))


def _depthwise_plain(op: OpShape) -> Counts:
    """A depthwise convolution with any other multiplier, or with dilation: one tap at a time."""
    return (op.macs,)


def _fully_connected(op: OpShape) -> Counts:
    """A vector by matrix product."""
    assert op.filter is not None
    outputs, depth = prod(op.output), op.filter[1]
    return (outputs * (depth // 4), outputs * (depth % 4), outputs, 1.0)


def _pool(op: OpShape) -> Counts:
    """A pooling window, all channels of a pixel at a time."""
    _, in_h, in_w, _ = op.inputs[0]
    _, out_h, out_w, channels = op.output
    taps = _taps(in_h, out_h, op.window[0], op.stride[0], 1) * _taps(
        in_w, out_w, op.window[1], op.stride[1], 1
    )
    return (taps * channels, taps, out_h * out_w * channels, 1.0)


def _elements(op: OpShape) -> Counts:
    """So much per output element."""
    return (prod(op.output), 1.0)


def _reduced(op: OpShape) -> Counts:
    """So much per input element and per output element."""
    return (prod(op.inputs[0]) if op.inputs else 0, prod(op.output), 1.0)


def _copied(op: OpShape) -> Counts:
    """Bytes in rows of the last axis, one copy per row and input."""
    rows = prod(op.output[:-1]) * max(len(op.inputs), 1)
    return (prod(op.output), rows, 1.0)


def _rows(op: OpShape) -> Counts:
    """So much per element and per row of the last axis."""
    return (prod(op.output), prod(op.output[:-1]), 1.0)


def _padded(op: OpShape) -> Counts:
    """Bytes copied, and image rows they are copied in."""
    rows = op.output[1] if len(op.output) > 1 else 1
    return (prod(op.inputs[0]) if op.inputs else 0, rows, 1.0)


def _recurrent(op: OpShape) -> Counts:
    """An LSTM over a sequence (batch, time, inputs) -> (batch, time, units): multiply-accumulates, units."""
    if len(op.output) < 2 or not op.inputs:
        return (0, prod(op.output), 1.0)
    units, inputs = op.output[-1], op.inputs[0][-1]
    steps = prod(op.output[:-1]) if len(op.output) > 2 else prod(op.inputs[0][:-1])
    return (4 * steps * units * (units + inputs), steps * units, 1.0)


def _projected(op: OpShape) -> Counts:
    """SVDF: inputs by filters. The rank is not part of a shape; 1 is assumed."""
    inputs = prod(op.inputs[0]) if op.inputs else 0
    return (inputs * prod(op.output), 1.0)


FEATURES: dict[str, Callable[[OpShape], Counts]] = {
    "conv": _conv,
    "conv_1x1": _conv_1x1,
    "depthwise": _depthwise,
    "depthwise_window": _depthwise,
    "depthwise_by_four": _depthwise_by_four,
    "depthwise_plain": _depthwise_plain,
    "fully_connected": _fully_connected,
    "average_pool": _pool,
    "max_pool": _pool,
    "add": _elements,
    "add_broadcast": _elements,
    "mul": _elements,
    "requantize": _elements,
    "dequantize": _elements,
    "logistic": _elements,
    "softmax": _rows,
    "mean": _reduced,
    "reduce_max": _reduced,
    "reshape": _elements,
    "transpose": _elements,
    "resize_nearest": _rows,
    "concatenation": _copied,
    "pad": _padded,
    "pack": _elements,
    "shape": _elements,
    "strided_slice": _elements,
    "svdf": _projected,
    "lstm": _recurrent,
    "other": _elements,
}
"""The counts of each kind of op; "other" prices an op that no fit has seen."""

KINDS: dict[str, str] = {
    "AVERAGE_POOL_2D": "average_pool",
    "MAX_POOL_2D": "max_pool",
    "FULLY_CONNECTED": "fully_connected",
    "MUL": "mul",
    "QUANTIZE": "requantize",
    "DEQUANTIZE": "dequantize",
    "LOGISTIC": "logistic",
    "SOFTMAX": "softmax",
    "MEAN": "mean",
    "REDUCE_MAX": "reduce_max",
    "RESHAPE": "reshape",
    "EXPAND_DIMS": "reshape",
    "SQUEEZE": "reshape",
    "TRANSPOSE": "transpose",
    "RESIZE_NEAREST_NEIGHBOR": "resize_nearest",
    "CONCATENATION": "concatenation",
    "PAD": "pad",
    "PADV2": "pad",
    "PACK": "pack",
    "SHAPE": "shape",
    "STRIDED_SLICE": "strided_slice",
    "SVDF": "svdf",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "lstm",
}
"""Kinds of the ops that have one; ADD and the convolutions depend on their shapes, see `kind_of`."""


def kind_of(op: OpShape) -> str:
    """The key of `FEATURES` whose kernel runs this op; "other" where none is known."""
    if op.op == "CONV_2D" and op.filter is not None:
        # CMSIS-NN takes the matrix product only where the 1x1 convolution neither pads nor dilates.
        plain = op.filter[1:] == (1, 1, op.inputs[0][-1]) and op.dilation == (1, 1)
        return "conv_1x1" if plain else "conv"
    if op.op == "DEPTHWISE_CONV_2D" and op.filter is not None:
        multiplier = op.filter[3] // op.inputs[0][-1]
        if multiplier == 1 and op.dilation == (1, 1):
            return "depthwise" if op.filter[1:3] == (3, 3) else "depthwise_window"
        return "depthwise_plain" if multiplier % 4 else "depthwise_by_four"
    if op.op == "ADD":
        same = len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]
        return "add" if same else "add_broadcast"
    if op.op == "FULLY_CONNECTED" and op.filter is None:
        return "other"
    return KINDS.get(op.op, "other")


@lru_cache(maxsize=65536)
def count_features(op: OpShape) -> tuple[str, Counts]:
    """Kind of the op and its counts, in the order of the kind's coefficients."""
    kind = kind_of(op)
    return kind, FEATURES[kind](op)


def count_other(op: OpShape) -> Counts:
    """The counts of the kind "other", whatever the op is."""
    return FEATURES["other"](op)
