"""Laws of CMSIS-NN on cores with DSP instructions, and of the reference kernels that it leaves in place.

A law follows the loops of the kernel that runs the op: an inner product is taken two rows and two columns at
a time, four weights per step, so a law counts such steps, the leftovers of odd sizes, the copying of patches
(im2col) and the requantization of each output.
"""

from collections.abc import Callable
from math import prod

from edgeprune.device.kernels.loops import (
    Counts,
    by_quantization,
    divide_up,
    joined_axis,
    rows_of,
    taps_inside,
)
from edgeprune.graph.opshape import OpShape

_PARTING = ("SPLIT", "SPLIT_V", "UNPACK")


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
    """A 1x1 convolution or a dense layer along rows: a matrix product, or one per row if it has a stride."""
    assert op.filter is not None
    depth, channels = op.filter[-1], op.output[-1]
    if op.stride == (1, 1):
        return _matmul(rows_of(op.output), channels, depth)
    return tuple(op.output[1] * count for count in _matmul(op.output[2], channels, depth))


def _conv(op: OpShape) -> Counts:
    """A convolution through im2col: patches are copied, widened to 16 bit, multiplied in pairs."""
    assert op.filter is not None
    _, window_h, window_w, depth = op.filter
    _, out_h, out_w, _ = op.output
    groups = max(op.inputs[0][3] // depth, 1)
    channels = op.filter[0] // groups
    pixels, patch = out_h * out_w, window_h * window_w * depth
    inside = prod(taps_inside(op, (window_h, window_w)))
    pairs, odd = pixels // 2, pixels % 2
    counts = (
        inside,
        inside * depth,
        pixels * window_h * window_w - inside,
        pixels * patch,
        pixels * window_h,
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
    """A 3x3 depthwise convolution, four channels at a time; taps in the padding are skipped."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    _, out_h, out_w, _ = op.output
    rows, columns = taps_inside(op, (window_h, window_w))
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


def _depthwise_window(op: OpShape) -> Counts:
    """Any other window: patches are copied and widened, then four channels at a time."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    _, out_h, out_w, _ = op.output
    pixels, taps = out_h * out_w, window_h * window_w
    rows, columns = taps_inside(op, (window_h, window_w))
    return (
        rows * columns * channels,
        rows * columns,
        pixels * taps * channels,
        pixels * (taps // 2) * (channels // 4),
        pixels * (channels // 4),
        pixels * taps * (channels % 4),
        pixels * (channels % 4),
        pixels,
        1.0,
    )


def _depthwise_by_four(op: OpShape) -> Counts:
    """A channel multiplier that is a multiple of four: four outputs of one input at a time."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    _, out_h, out_w, _ = op.output
    rows, columns = taps_inside(op, (window_h, window_w))
    return (
        rows * columns * channels / 4,
        rows * out_w * channels / 4,
        out_h * out_w * channels / 4,
        out_h * out_w * op.inputs[0][-1],
        out_h * out_w,
        1.0,
    )


def _depthwise_plain(op: OpShape) -> Counts:
    """Any other multiplier, or dilation: one tap of one output at a time."""
    assert op.filter is not None
    _, window_h, window_w, channels = op.filter
    rows, columns = taps_inside(op, (window_h, window_w))
    return (rows * columns * channels, rows * op.output[2] * channels, prod(op.output), 1.0)


def _fully_connected(op: OpShape) -> Counts:
    """A vector by matrix product for each row; two outputs at a time, four weights per step.

    One scale for all weights takes another kernel, in which these cost more or less.
    """
    assert op.filter is not None
    rows, (outputs, depth) = rows_of(op.output), op.filter
    pairs, odd = rows * (outputs // 2), rows * (outputs % 2)
    counts = (pairs * (depth // 4), pairs * (depth % 4), pairs, odd * (depth // 4), odd * (depth % 4), odd)
    return (*by_quantization(op, counts), rows, 1.0)


def _transpose_conv(op: OpShape) -> Counts:
    """Each input meets the whole window for each output channel; sums are put out row by row."""
    assert op.filter is not None
    channels, window_h, window_w, depth = op.filter
    taps = prod(op.inputs[0][1:3]) * window_h * window_w
    sums = op.inputs[0][1] * op.inputs[0][2] * prod(op.stride) * channels
    products = taps * channels
    return (products * (depth // 4), products * (depth % 4), products, taps, sums, prod(op.output), 1.0)


def _transpose_conv_reversed(op: OpShape) -> Counts:
    """As a convolution of the input with zeros between its pixels; the weights are turned round each time."""
    assert op.filter is not None
    channels, window_h, window_w, depth = op.filter
    outputs, patch = prod(op.output), window_h * window_w * depth
    copied = rows_of(op.output) * patch
    return (outputs * patch, copied, rows_of(op.output) * window_h * window_w, outputs, channels * patch, 1.0)


def _batch_matmul(op: OpShape) -> Counts:
    """Matrix products; the second matrix may have to be transposed."""
    return (op.macs, prod(op.output), rows_of(op.output), sum(map(prod, op.inputs)), 1.0)


def _pool(op: OpShape) -> Counts:
    """A pooling window, all channels of a pixel at a time."""
    _, out_h, out_w, channels = op.output
    taps = prod(taps_inside(op, op.window))
    return (taps * channels, taps, out_h * out_w * channels, out_h * out_w, 1.0)


def _elements(op: OpShape) -> Counts:
    """So much per output element."""
    return (prod(op.output), 1.0)


def _rows(op: OpShape) -> Counts:
    """So much per output element and per row of the last axis."""
    return (prod(op.output), rows_of(op.output), 1.0)


def _places(op: OpShape) -> Counts:
    """So much per output element, and per row, image row and image."""
    shape = (1, 1, 1, *op.output)
    return (*(prod(shape[: len(shape) - axis]) for axis in range(3)), 1.0)


def _reduced(op: OpShape) -> Counts:
    """So much per input element, the more the more axes there are, and per output element."""
    elements = prod(op.inputs[0]) if op.inputs else 0
    rank = len(op.inputs[0]) if op.inputs else 0
    return (elements, elements * max(rank - 2, 0), prod(op.output), 1.0)


def _copied(op: OpShape) -> Counts:
    """Bytes, those of them that do not come in whole words, and the pieces in which they are copied."""
    axis = joined_axis(op)
    parting = op.op in _PARTING and bool(op.inputs)
    whole = op.inputs[0] if parting else op.output
    parts = divide_up(whole[axis], op.output[axis] or 1) if parting else max(len(op.inputs), 1)
    piece = prod((op.output if parting or not op.inputs else op.inputs[0])[axis:])
    return (prod(whole), prod(whole) if piece % 4 else 0, prod(whole[:axis]) * parts, 1.0)


def _padded(op: OpShape) -> Counts:
    """Bytes copied, those of them that do not come in whole words, pixels, rows, and bytes of padding."""
    source = op.inputs[0] if op.inputs else (0,)
    inside, rows = prod(source), op.output[1] if len(op.output) > 1 else 1
    odd = inside if source[-1] % 4 else 0
    return (inside, odd, rows_of(source), rows, prod(op.output) - inside, 1.0)


def _recurrent(op: OpShape) -> Counts:
    """An LSTM over a sequence (batch, time, inputs) -> (batch, time, units): multiply-accumulates, units."""
    if len(op.output) < 2 or not op.inputs:
        return (0, prod(op.output), 0, 1.0)
    units, inputs = op.output[-1], op.inputs[0][-1]
    steps = prod(op.output[:-1]) if len(op.output) > 2 else prod(op.inputs[0][:-1])
    return (4 * steps * units * (units + inputs), steps * units, steps, 1.0)


def _projected(op: OpShape) -> Counts:
    """SVDF: features of the input, then their memory; the length of the memory is not part of a shape."""
    inputs = prod(op.inputs[0]) if op.inputs else 0
    filters = op.filter[0] if op.filter else prod(op.output)
    return (inputs * filters, filters, prod(op.output), 1.0)


FEATURES: dict[str, Callable[[OpShape], Counts]] = {
    "conv": _conv,
    "conv_1x1": _conv_1x1,
    "depthwise": _depthwise,
    "depthwise_window": _depthwise_window,
    "depthwise_by_four": _depthwise_by_four,
    "depthwise_plain": _depthwise_plain,
    "depthwise_dilated": _depthwise_plain,
    "fully_connected": _fully_connected,
    "transpose_conv": _transpose_conv,
    "transpose_conv_reversed": _transpose_conv_reversed,
    "batch_matmul": _batch_matmul,
    "lstm": _recurrent,
    "svdf": _projected,
    "average_pool": _pool,
    "max_pool": _pool,
    "concatenation": _copied,
    "split": _copied,
    "pad": _padded,
    "mean": _reduced,
    "sum": _reduced,
    "reduce_max": _reduced,
    "argmax": _reduced,
    "softmax": _rows,
    "log_softmax": _rows,
    "resize_nearest": _rows,
    "resize_bilinear": _rows,
    "strided_slice": _places,
    "transpose": _places,
    "mirror_pad": _elements,
    "space_to_depth": _rows,
    "depth_to_space": _rows,
    **dict.fromkeys(
        ("add", "mul", "sub", "maximum", "maximum_constant", "squared_difference", "div", "prelu"),
        _elements,
    ),
    **dict.fromkeys(("add_broadcast", "mul_broadcast", "sub_broadcast"), _rows),
    **dict.fromkeys(("maximum_broadcast", "squared_difference_broadcast"), _rows),
    **dict.fromkeys(
        (
            "flip_sign",
            "requantize",
            "quantize",
            "dequantize",
            "logistic",
            "tanh",
            "relu",
            "relu6",
            "hard_swish",
        ),
        _elements,
    ),
    **dict.fromkeys(("leaky_relu", "elu", "abs", "neg", "rsqrt", "reshape", "pack", "shape"), _elements),
    "other": _elements,
}
"""The counts of each kind of op; "other" prices an op that no fit has seen."""
