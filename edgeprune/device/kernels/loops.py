"""Counting the steps of loops, for the laws of the kernels."""

from functools import lru_cache
from math import prod

from edgeprune.graph.opshape import OpShape, Shape

Counts = tuple[float, ...]


@lru_cache(maxsize=4096)
def count_taps(inside: int, outside: int, window: int, stride: int, dilation: int) -> int:
    """Window positions that lie inside the input, summed over all outputs of one axis."""
    reach = (window - 1) * dilation + 1
    before = max((outside - 1) * stride + reach - inside, 0) // 2
    starts = (o * stride - before for o in range(outside))
    return sum(1 for start in starts for k in range(window) if 0 <= start + k * dilation < inside)


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
