"""SOFTMAX."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.fixed_point import exp_of_negative
from edgeprune.firmware.c.layer import (
    Constant,
    Layer,
    Site,
    describe,
    elementwise,
    emits,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.ops.floats import emit_float_rows
from edgeprune.firmware.c.scaling import quantize_factor

_INTEGER_BITS = 5
_LARGEST_DIFFERENCE = 255
_STEPS = 512  # of a table for int16
_RANGE = 65535
_MOST_TERMS = 65535  # whose sum of Q0.15 fits 32 bits


@emits("SOFTMAX")
def emit(site: Site) -> Layer:
    """exp() of each element over the sum of all, along the last dimension."""
    if site.input().dtype == "float32":
        return emit_float_rows(site)
    if site.input().dtype == "int16":
        return _emit_wide(site)
    site.require("int8", site.input(), site.output())
    if zero_point(site.output()) != -128 or scale(site.output()) != np.float32(1 / 256):
        raise site.refuse("its output is not quantized with scale 1/256 and zero point -128")
    beta = float(np.float32(site.op.options["beta"]))
    real = min(beta * float(scale(site.input())) * (1 << (31 - _INTEGER_BITS)), (1 << 31) - 1.0)
    factor = quantize_factor(real)
    if real <= 1.0:
        raise site.refuse(f"its scale of {scale(site.input()):g} times beta is too small")
    radius = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) / (1 << factor.shift)
    last = min(math.floor(radius), _LARGEST_DIFFERENCE)
    table = exp_of_negative(factor.scale(-np.arange(last + 1, dtype=np.int64)), integer_bits=_INTEGER_BITS)
    depth = site.row_length()
    function = render(
        "softmax.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // depth,
        depth=depth,
        last=last,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        constants=(Constant(name="exp", values=table.astype(np.int32)),),
        kernels=("clamp", "rescale", "reciprocal"),
        overlaps=elementwise(of=site.op.inputs[0]),
    )


def _emit_wide(site: Site) -> Layer:
    """The same of int16: exp() and the reciprocal of the sum between neighbours of tables."""
    site.require_integers(site.input(), site.output())
    depth = site.row_length()
    if not math.isclose(scale(site.output()), 2.0**-15, rel_tol=0.001) or depth > _MOST_TERMS:
        raise site.refuse("its output is not quantized with scale 2^-15, or its rows are too long")
    beta = float(np.float32(site.op.options["beta"]))
    factor = quantize_factor(float(scale(site.input())) * beta / (10.0 / _RANGE))
    function = render(
        "softmax_wide.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // depth,
        depth=depth,
        multiplier=factor.multiplier,
        shift=factor.shift,
    )
    exponentials = _tabulate(np.exp, reach=10.0, zero=32767)
    reciprocals = _tabulate(lambda values: np.float32(1) / (np.float32(1) + values), reach=1.0, zero=-32768)
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        constants=(
            Constant(name="exp", values=exponentials),
            Constant(name="reciprocals", values=reciprocals),
        ),
        kernels=("clamp_wide", "rescale", "leading_zeros", "between_wide"),
        overlaps=elementwise(of=site.op.inputs[0]),
    )


def _tabulate(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]], *, reach: float, zero: int
) -> NDArray[np.int16]:
    """513 values of a function as Q0.15, less half of what a straight line between two is off in the middle.

    All is computed in float32, as TFLM does.

    Args:
        function: of real numbers.
        reach: how far the ends of int16 are apart.
        zero: zero point.
    """
    step = np.float32(reach) / np.float32(_RANGE)
    first = step * np.float32(-32768 - zero)
    last = step * np.float32(32767 - zero)
    width = (last - first) / np.float32(_STEPS)
    places = np.arange(_STEPS + 1).astype(np.float32)
    low, high = (np.float32(2) / np.float32(_RANGE) * np.float32(end) for end in (-32768, 32767))
    unit = np.float32(_RANGE + 1) / (high - low)
    values = function(first + places * width).astype(np.float32)
    middles = function(first + places[:-1] * width + width / np.float32(2)).astype(np.float32)
    samples = _round(values[:-1] * unit)
    straight = _round((values[1:] * unit + samples) / np.float32(2))
    table = np.append(
        samples - _round((straight - _round(middles * unit)) / np.float32(2)),
        _round(function(np.array([last], np.float32)).astype(np.float32) * unit),
    )
    return np.clip(table, -32768, 32767).astype(np.int16)


def _round(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values).astype(np.float32)
