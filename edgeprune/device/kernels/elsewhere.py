"""Laws of kernels that differ from CMSIS-NN's for cores with DSP instructions."""

from collections.abc import Callable
from math import prod
from typing import Literal

from edgeprune.device.kernels.loops import Counts, by_quantization, divide_up, rows_of, taps_inside
from edgeprune.graph.opshape import OpShape

Kernels = Literal["dsp", "plain", "mve", "reference"]
"""CMSIS-NN for cores with DSP instructions, with none, with vectors (Helium); TFLM's reference kernels."""

_LANES = 16
"""int8 values in a vector of Helium."""
_BLOCK = 124
"""Channels that CMSIS-NN's depthwise convolution takes at a time there."""


def _one_tap_at_a_time(op: OpShape) -> Counts:
    """A depthwise convolution, output by output; taps in the padding are not even looked at."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    rows, columns = taps_inside(op, (window_h, window_w))
    outputs = prod(op.output)
    return (rows * columns * channels, rows * op.output[2] * channels, outputs, rows_of(op.output), 1.0)


def _conv_mve(op: OpShape) -> Counts:
    """Four patches at a time are copied, and multiplied in steps of 16 weights."""
    assert op.filter is not None
    channels, window_h, window_w, depth = op.filter
    if op.op == "DEPTHWISE_CONV_2D":
        channels, depth = depth, 1
    groups = max(op.inputs[0][3] // depth, 1)
    taps, pixels, copies = window_h * window_w, rows_of(op.output), divide_up(depth, _LANES)
    inside = prod(taps_inside(op, (window_h, window_w)))
    outside = pixels * taps - inside
    counts = _matmul_mve(rows=pixels, columns=channels // groups, depth=taps * depth)
    copying = (inside, inside * copies, outside, outside * copies, pixels * window_h, pixels)
    return tuple(groups * count for count in (*counts, *copying))


def _conv_in_place_mve(op: OpShape) -> Counts:
    """A convolution along one row: patches that touch no border are multiplied where they lie."""
    assert op.filter is not None
    return _matmul_mve(rows=rows_of(op.output), columns=op.filter[0], depth=prod(op.filter[1:]))


def _conv_1x1_mve(op: OpShape) -> Counts:
    """One matrix product, or one per image row if there is a stride."""
    assert op.filter is not None
    if op.stride == (1, 1):
        return _matmul_mve(rows=rows_of(op.output), columns=op.output[-1], depth=op.filter[-1])
    counts = _matmul_mve(rows=op.output[2], columns=op.output[-1], depth=op.filter[-1])
    return tuple(op.output[1] * count for count in counts)


def _matmul_mve(*, rows: int, columns: int, depth: int) -> Counts:
    """Counts of `arm_nn_mat_mult_nt_t_s8` with vectors: four rows at a time, what is left one at a time."""
    quads, rest, steps = rows // 4, rows % 4, divide_up(depth, _LANES)
    return (
        quads * columns * steps,
        quads * columns,
        quads,
        rest * columns * steps,
        rest * columns,
        rest * (columns % 4),
        rest,
        1.0,
    )


def _depthwise_mve(op: OpShape) -> Counts:
    """Blocks of channels: patches are copied, then four pixels and four channels at a time."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    taps, pixels = window_h * window_w, rows_of(op.output)
    inside = prod(taps_inside(op, (window_h, window_w)))
    whole, last = divmod(channels, _BLOCK)
    blocks = [_BLOCK] * whole + [last] * bool(last)
    copies = sum(divide_up(block, _LANES) for block in blocks)
    groups = sum(divide_up(block, 4) for block in blocks)
    return (
        pixels * taps * len(blocks),
        inside * copies,
        (pixels * taps - inside) * copies,
        (pixels // 4) * groups * taps,
        (pixels // 4) * groups,
        (pixels % 4) * groups * taps,
        (pixels % 4) * groups,
        (pixels // 4) * len(blocks),
        pixels * len(blocks),
        1.0,
    )


def _fully_connected_mve(op: OpShape) -> Counts:
    """Four outputs at a time, in steps of 16 weights."""
    assert op.filter is not None
    rows = rows_of(op.output)
    counts = _vector_matrix_mve(rows=rows, outputs=op.filter[0], depth=op.filter[1])
    return (*by_quantization(op, counts), rows, 1.0)


def _batch_matmul_mve(op: OpShape) -> Counts:
    """The same for each row; the second matrix may have to be transposed."""
    rows = rows_of(op.output)
    counts = _vector_matrix_mve(rows=rows, outputs=op.output[-1], depth=op.inputs[0][-1])
    return (*counts, rows, sum(map(prod, op.inputs)), 1.0)


def _vector_matrix_mve(*, rows: int, outputs: int, depth: int) -> Counts:
    quads, rest, steps = outputs // 4, outputs % 4, divide_up(depth, _LANES)
    return (rows * quads * steps, rows * quads, rows * rest * steps, rows * rest)


def _pool_mve(op: OpShape) -> Counts:
    """A pooling window, 16 channels at a time."""
    taps, pixels = prod(taps_inside(op, op.window)), rows_of(op.output)
    steps = divide_up(op.output[-1], _LANES)
    return (taps * steps, taps, pixels * steps, pixels, 1.0)


def _fours(op: OpShape) -> Counts:
    """So much per four elements."""
    return (divide_up(prod(op.output), 4), 1.0)


def _fours_in_rows(op: OpShape) -> Counts:
    """So much per four elements of a row, per element left over, and per row."""
    rows, width = rows_of(op.output), op.output[-1] if op.output else 1
    return (rows * (width // 4), rows * (width % 4), rows, 1.0)


def _conv_reference(op: OpShape) -> Counts:
    """Output by output; each tap is compared with the borders."""
    assert op.filter is not None
    _, window_h, window_w, depth = op.filter
    outputs, channels = prod(op.output), op.output[-1]
    inside = prod(taps_inside(op, (window_h, window_w)))
    return (
        inside * depth * channels,
        inside * channels,
        outputs * window_h * window_w,
        outputs * window_h,
        outputs,
        1.0,
    )


def _depthwise_reference(op: OpShape) -> Counts:
    """Output by output; each tap is compared with the borders."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    outputs = prod(op.output)
    inside = prod(taps_inside(op, (window_h, window_w)))
    return (inside * channels, outputs * window_h * window_w, outputs * window_h, outputs, 1.0)


def _fully_connected_reference(op: OpShape) -> Counts:
    """Output by output, weight by weight."""
    return (*by_quantization(op, (op.macs, prod(op.output))), 1.0)


def _transpose_conv_reference(op: OpShape) -> Counts:
    """Each input is added to its outputs, channel by channel; each tap is compared with the borders."""
    assert op.filter is not None
    channels, window_h, window_w, depth = op.filter
    taps = prod(op.inputs[0][1:3]) * window_h * window_w * depth
    return (taps * channels, taps, prod(op.inputs[0]), prod(op.output), 1.0)


def _conv_float(op: OpShape) -> Counts:
    """As `_conv_reference`, along the depth in steps of four, as compilers do where the core has vectors."""
    assert op.filter is not None
    _, taps, *others = _conv_reference(op)
    depth = op.filter[3]
    return (taps * (depth // 4), taps * (depth % 4), taps * (depth >= 4), taps, *others)


def _fully_connected_float(op: OpShape) -> Counts:
    """Output by output, likewise."""
    assert op.filter is not None
    outputs, depth = prod(op.output), op.filter[1]
    return (outputs * (depth // 4), outputs * (depth % 4), outputs, 1.0)


FEATURES_FLOAT: dict[str, Callable[[OpShape], Counts]] = {
    "conv": _conv_float,
    "fully_connected": _fully_connected_float,
}
"""Counts of the kinds that reference kernels count otherwise on floats."""

FEATURES_ELSEWHERE: dict[Kernels, dict[str, Callable[[OpShape], Counts]]] = {
    "dsp": {},
    "plain": {"depthwise_window": _one_tap_at_a_time, "depthwise_plain": _one_tap_at_a_time},
    "mve": {
        "conv": _conv_mve,
        "conv_in_place": _conv_in_place_mve,
        "conv_1x1": _conv_1x1_mve,
        "depthwise": _depthwise_mve,
        "depthwise_window": _depthwise_mve,
        "fully_connected": _fully_connected_mve,
        "batch_matmul": _batch_matmul_mve,
        "average_pool": _pool_mve,
        "max_pool": _pool_mve,
        "add": _fours,
        "mul": _fours,
        "softmax": _fours_in_rows,
    },
    "reference": {
        "conv": _conv_reference,
        "depthwise": _depthwise_reference,
        "fully_connected": _fully_connected_reference,
        "transpose_conv": _transpose_conv_reference,
    },
}
"""Counts of the kinds that these kernels compute in another way."""


def name_elsewhere(kind: str, op: OpShape, *, kernels: Kernels) -> str:
    """The kind whose law holds in these kernels for an op of `kind` on a core with DSP instructions."""
    if kernels == "reference":
        for group in ("depthwise", "transpose_conv", "conv"):
            if kind.startswith(group):
                return "fully_connected" if op.op == "FULLY_CONNECTED" else group
    if kernels == "mve" and op.filter is not None:
        if kind.startswith("depthwise") and op.inputs[0][-1] == 1 and op.filter[3] > 1:
            return "conv"
        in_a_row = kind == "conv" and op.inputs[0][1] == op.filter[1] == 1 and op.dilation[1] == 1
        if in_a_row and op.stride[1] * op.inputs[0][3] % 4 == 0:
            return "conv_in_place"
    return kind
