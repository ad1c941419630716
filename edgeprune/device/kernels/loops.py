"""Counting the steps of loops, for the laws of the kernels."""

from math import prod

from edgeprune.graph.opshape import OpShape, Shape

Counts = tuple[float, ...]


def count_taps(inside: int, outside: int, window: int, stride: int, dilation: int) -> int:
    """Window positions that lie inside the input, summed over all outputs of one axis.

    It takes as long for a million outputs as for one: sizes are those that a file says.
    """
    reach = (window - 1) * dilation + 1
    before = max((outside - 1) * stride + reach - inside, 0) // 2
    ends = (before + inside - 1, before - 1)
    up_to, below = (_count_starts(end, outside, window, stride, dilation) for end in ends)
    return up_to - below


def _count_starts(end: int, outside: int, window: int, stride: int, dilation: int) -> int:
    """Pairs of an output o and a tap k with o * stride + k * dilation ≤ end."""
    every = min(max((end - (outside - 1) * stride) // dilation + 1, 0), window)
    some = min(max(end // dilation + 1, 0), window)
    partly = some - every
    first = end - (some - 1) * dilation
    return every * outside + partly + _sum_floors(partly, divisor=stride, step=dilation, start=first)


def _sum_floors(count: int, *, divisor: int, step: int, start: int) -> int:
    """The sum of (start + i * step) // divisor over i from 0 to count - 1, by Euclid's algorithm."""
    total = 0
    while count > 0:
        whole, step = divmod(step, divisor)
        more, start = divmod(start, divisor)
        total += count * (count - 1) // 2 * whole + count * more
        last = count * step + start
        count, start, step, divisor = last // divisor, last % divisor, divisor, step
    return total


def taps_inside(op: OpShape, window: tuple[int, int]) -> tuple[int, int]:
    """`count_taps` of the rows and of the columns of a window over images."""
    _, in_h, in_w, _ = op.inputs[0]
    _, out_h, out_w, _ = op.output
    return (
        count_taps(in_h, out_h, window[0], op.stride[0], op.dilation[0]),
        count_taps(in_w, out_w, window[1], op.stride[1], op.dilation[1]),
    )


def divide_up(values: int, parts: int) -> int:
    """Steps of so many values that cover them all."""
    return -(-values // parts)


def rows_of(shape: Shape) -> int:
    """Rows along the last axis."""
    return prod(shape[:-1])


def joined_axis(op: OpShape) -> int:
    """The axis along which inputs are joined to the output, or the input is parted into outputs."""
    first = op.inputs[0] if op.inputs else op.output
    pairs = zip(first, op.output, strict=False)
    return next((axis for axis, (a, b) in enumerate(pairs) if a != b), len(op.output) - 1)


def by_quantization(op: OpShape, counts: Counts) -> Counts:
    """The counts twice: if each channel has a scale of its own, and if one holds for all weights."""
    nothing = (0.0,) * len(counts)
    return (*nothing, *counts) if op.weights_per_tensor else (*counts, *nothing)
