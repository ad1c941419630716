"""Ops on each int8 value alone: a table of 256 outputs, computed here as TFLM's kernels compute them."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgeprune.firmware.c import fixed_point
from edgeprune.firmware.c.layer import (
    C_TYPES,
    Constant,
    Layer,
    Site,
    clamp_of,
    describe,
    elementwise,
    emits,
    name_type,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.ops.floats import emit_float
from edgeprune.firmware.c.scaling import (
    INT8_MAX,
    INT8_MIN,
    Factor,
    Integers,
    divide_by_power_of_two,
    quantize_factor,
    round_half_away,
)
from edgeprune.firmware.c.sigmoid import make_sigmoid_table

_EVERY_VALUE = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
_SIGMOID_INPUT_BITS = 4
_RSQRT_SHIFT = 20


@emits("ABS", "RSQRT", "RELU", "RELU6", "ELU", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH")
def emit(site: Site) -> Layer:
    """The op's table, and a loop that looks values up."""
    if site.input().dtype == "int16" and site.op.name in _WIDE:
        site.require_integers(site.input(), site.output())
        return _WIDE[site.op.name](site)
    if site.input().dtype == "float32":
        return emit_float(site)
    site.require("int8", site.input(), site.output())
    return emit_table(site, _FUNCTIONS[site.op.name](site))


def emit_each(site: Site, *, above: str, below: str, zero: int, low: int | None = None) -> Layer:
    """A loop over integers of any size.

    Args:
        site: the op.
        above: C of what `value`, the input less its zero point, becomes from 0 on.
        below: the same under 0.
        zero: what is added last.
        low: the smallest output; None for that of its type.
    """
    source, output = site.input(), site.output()
    names = name_type(output.dtype)
    function = render(
        "each.c",
        name=site.label,
        comment=describe(site),
        source=C_TYPES[source.dtype],
        **names,
        elements=source.elements,
        in_zero=zero_point(source),
        above=above,
        below=below,
        zero=zero,
        low=names["lowest"] if low is None else low,
    )
    kernels = ("rescale", *((clamp_of(output.dtype),) if output.dtype != "int32" else ("clamp_int32",)))
    return Layer(function=function, inputs=site.op.inputs[:1], outputs=site.op.outputs, kernels=kernels)


def _emit_wide_rectified(site: Site) -> Layer:
    """RELU, LEAKY_RELU and ABS of int16."""
    ratio = scale(site.input()) / scale(site.output())
    identity = quantize_factor(float(scale(site.input())) / float(scale(site.output())))
    above = f"rescale(value, {identity.multiplier}, {identity.shift})"
    below = "0"
    if site.op.name == "LEAKY_RELU":
        alpha = float(np.float32(site.op.options["alpha"]))
        real = float(scale(site.input())) / float(scale(site.output()))
        slope = quantize_factor(abs(real * alpha))
        sign = "-" if alpha < 0 else ""
        below = f"{sign}rescale(value, {slope.multiplier}, {slope.shift})"
    elif site.op.name == "ABS":
        factor = quantize_factor(float(ratio))
        above = "value" if ratio == 1 else f"rescale(value, {factor.multiplier}, {factor.shift})"
        below = "-value" if ratio == 1 else f"rescale(-value, {factor.multiplier}, {factor.shift})"
    return emit_each(site, above=above, below=below, zero=0)


def _emit_wide_relu6(site: Site) -> Layer:
    six = round_half_away(float(np.float32(6) / scale(site.input())))
    if six > np.iinfo(np.int16).max:
        raise site.refuse("its scale is too small for 6")
    return emit_each(site, above=f"(value > {six}) ? {six} : value", below="0", zero=0)


def _emit_wide_curve(site: Site) -> Layer:
    """LOGISTIC and TANH of int16, between neighbours of a table."""
    if scale(site.output()) != np.float32(2.0**-15):
        raise site.refuse("its output is not quantized with scale 2^-15")
    power = math.log2(float(scale(site.input())))
    left = 12 + round(power)
    is_power = abs(power - round(power)) < 1e-3 and left in ((0,) if site.op.name == "LOGISTIC" else (0, 1))
    multiplier, shift = 3 << max(left, 0), 0
    if not is_power:
        real = float(scale(site.input())) * 4096.0 * 3.0
        while real <= 32767.0 / 2.0 and shift <= 30:
            shift, real = shift + 1, real * 2.0
        multiplier = int(real)
    if multiplier > np.iinfo(np.int16).max or shift > 30:
        raise site.refuse(f"its scale of {scale(site.input()):g} is out of reach")
    function = render(
        "curve_wide.c",
        name=site.label,
        comment=describe(site),
        elements=site.input().elements,
        multiplier=multiplier,
        half=(1 << shift) >> 1,
        shift=shift,
        curve="logistic_of" if site.op.name == "LOGISTIC" else "tanh_of",
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        constants=(Constant(name="table", values=make_sigmoid_table()),),
        kernels=("clamp_wide", "interpolate"),
        overlaps=elementwise(of=site.op.inputs[0]),
    )


def emit_table(site: Site, table: Integers) -> Layer:
    """A loop that looks up what each value of 8 bits becomes.

    Args:
        site: the op.
        table: outputs for all values of the input, from the smallest; those beyond the output's type are
            clamped to it.
    """
    source, output = site.input(), site.output()
    limits = np.iinfo(output.dtype)
    function = render(
        "lookup.c",
        name=site.label,
        comment=describe(site),
        kind=source.dtype,
        source=C_TYPES[source.dtype],
        target=C_TYPES[output.dtype],
        place="input[i]" if source.dtype == "uint8" else "input[i] + 128",
        elements=source.elements,
    )
    values = np.clip(table, limits.min, limits.max).astype(output.dtype)
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(Constant(name="table", values=values),),
        overlaps=elementwise(of=site.op.inputs[0]) if limits.bits == 8 else {},
    )


def _centred(site: Site) -> Integers:
    return _EVERY_VALUE - zero_point(site.input())


def _abs(site: Site) -> Integers:
    values = np.abs(_centred(site))
    if scale(site.input()) != scale(site.output()):
        values = quantize_factor(float(scale(site.input()) / scale(site.output()))).scale(values)
    return values + zero_point(site.output())


def _rsqrt(site: Site) -> Integers:
    # TFLM refuses values below zero when it meets them; here they are as 0, the largest.
    real = 1.0 / float(np.sqrt(scale(site.input())) * scale(site.output()))
    factor = quantize_factor(real)
    if factor.shift - _RSQRT_SHIFT > 0:
        raise site.refuse("its output's scale is too small for its input's")
    table = []
    for value in _centred(site).tolist():
        if value <= 0:
            table.append(INT8_MAX)
            continue
        root = fixed_point.inverse_square_root(value)
        fine = replace(root, shift=root.shift + _RSQRT_SHIFT).scale(np.array(1, np.int64))
        scaled = replace(factor, shift=factor.shift - _RSQRT_SHIFT).scale(fine)
        table.append(int(scaled) + zero_point(site.output()))
    return np.array(table, np.int64)


def _relu(site: Site) -> Integers:
    factor = quantize_factor(float(scale(site.input())) / float(scale(site.output())))
    return np.maximum(factor.scale(_centred(site)), 0) + zero_point(site.output())


def _relu6(site: Site) -> Integers:
    # TFLM clamps the values as they are, whatever the output's scale.
    zero = zero_point(site.input())
    six = zero + round_half_away(float(np.float32(6) / scale(site.input())))
    return np.clip(_EVERY_VALUE, zero, min(six, INT8_MAX))


def _elu(site: Site) -> Integers:
    # TFLM fills its table in float32.
    real = scale(site.input()) * _centred(site).astype(np.float32)
    below = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32) - np.float32(1)
    scaled = np.where(real < 0, below, real) * (np.float32(1) / scale(site.output()))
    rounded = [round_half_away(float(each)) for each in scaled]
    return np.array(rounded, np.int64) + zero_point(site.output())


def _leaky_relu(site: Site) -> Integers:
    ratio = float(scale(site.input())) / float(scale(site.output()))
    alpha = float(np.float32(site.op.options["alpha"]))
    slope = quantize_factor(abs(ratio * alpha))
    values = _centred(site)
    below = slope.scale(values) * (-1 if alpha < 0 else 1)
    identity = quantize_factor(ratio)
    return np.where(values >= 0, identity.scale(values), below) + zero_point(site.output())


def _logistic(site: Site) -> Integers:
    if zero_point(site.output()) != INT8_MIN:
        raise site.refuse("its output's zero point is not -128")
    return _sigmoid(site, fixed_point.logistic, output_bits=8) + INT8_MIN


def _tanh(site: Site) -> Integers:
    return _sigmoid(site, fixed_point.tanh, output_bits=7)


def _sigmoid(site: Site, function: Callable[..., Integers], *, output_bits: int) -> Integers:
    """A saturating function of Q4.27; beyond the radius it is at its limits."""
    fraction, shift = math.frexp(float(scale(site.input())) * (1 << (31 - _SIGMOID_INPUT_BITS)))
    factor = Factor(multiplier=round_half_away(fraction * (1 << 31)), shift=shift)
    radius = math.floor(((1 << _SIGMOID_INPUT_BITS) - 1) * (1 << (31 - _SIGMOID_INPUT_BITS)) / 2.0**shift)
    values = _centred(site)
    inside = np.clip(values, 1 - radius, radius - 1) if radius > 0 else np.zeros_like(values)
    result = divide_by_power_of_two(
        function(factor.scale(inside), integer_bits=_SIGMOID_INPUT_BITS), 31 - output_bits
    )
    limit = 1 << output_bits
    floor = 0 if output_bits == 8 else -limit
    return np.where(values <= -radius, floor, np.where(values >= radius, limit, result))


def _hard_swish(site: Site) -> Integers:
    """X * relu6(x + 3) / 6 in 16 bits, with the roundings of TFLM's kernel in their order."""
    fine = np.float32(1 / 128) * scale(site.input())
    output = quantize_factor(float(fine / scale(site.output())))
    gate = quantize_factor(float(fine / np.float32(3 / 32768)))
    if output.shift > 0:
        raise site.refuse("its output's scale is too small for its input's")
    value = _centred(site) << 7
    preshift = _multiply_16(value, _to_16_bits(output.multiplier))
    relu = value
    if gate.shift > 0:
        relu = _saturate_16(relu << (gate.shift - 1))
    relu = _multiply_16(relu, _to_16_bits(gate.multiplier))
    relu = _saturate_16(relu << 1) if gate.shift > 0 else divide_by_power_of_two(relu, -gate.shift)
    relu = (relu + (1 << 15)) >> 1
    product = np.fix(relu * preshift / (1 << 15)).astype(np.int64)
    return divide_by_power_of_two(product, -output.shift) + zero_point(site.output())


def _to_16_bits(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _multiply_16(values: Integers, multiplier: int) -> Integers:
    return _saturate_16((values * multiplier + (1 << 14)) >> 15)


def _saturate_16(values: Integers) -> Integers:
    return np.clip(values, -(1 << 15), (1 << 15) - 1)


_WIDE: dict[str, Callable[[Site], Layer]] = {
    "RELU": _emit_wide_rectified,
    "LEAKY_RELU": _emit_wide_rectified,
    "ABS": _emit_wide_rectified,
    "RELU6": _emit_wide_relu6,
    "LOGISTIC": _emit_wide_curve,
    "TANH": _emit_wide_curve,
}
"""Ops on int16 that a table has no room for."""

_FUNCTIONS: dict[str, Callable[[Site], Integers]] = {
    "ABS": _abs,
    "RSQRT": _rsqrt,
    "RELU": _relu,
    "RELU6": _relu6,
    "ELU": _elu,
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _hard_swish,
    "LOGISTIC": _logistic,
    "TANH": _tanh,
}
