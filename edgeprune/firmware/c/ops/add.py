"""ADD and SUB."""

from edgeprune.firmware.c.layer import (
    Layer,
    Site,
    clamp_of,
    describe,
    emits,
    name_type,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.operands import make_operands
from edgeprune.firmware.c.ops.floats import emit_floats, emit_whole
from edgeprune.firmware.c.scaling import Factor, activation_range, quantize_factor

_SHIFTS = {"int8": 20, "int16": 15}
"""By how many bits values are shifted up before they are brought to one scale."""


@emits("ADD", "SUB")
def emit(site: Site) -> Layer:
    """A sum or difference, with broadcasting: both inputs are brought to one scale first."""
    left, right, output = site.input(0), site.input(1), site.output()
    if left.dtype == "float32":
        return emit_floats(site)
    if left.dtype == "int32":
        return emit_whole(site)
    dtype = site.require_integers(left, right, output)
    up = _SHIFTS[dtype]
    twice = 2.0 * float(max(scale(left), scale(right)))
    first, second = (quantize_factor(float(scale(each)) / twice) for each in (left, right))
    last = quantize_factor(twice / ((1 << up) * float(scale(output))))
    low, high = activation_range(site.op.options["fused_activation_function"], output)
    operands = make_operands(site)
    values = {
        "name": site.label,
        **name_type(dtype),
        "comment": describe(site),
        **operands.values,
        "elements": output.elements,
        "sign": "+" if site.op.name == "ADD" else "-",
        "left": _scale("x", first, up=up),
        "left_zero": zero_point(left),
        "left_multiplier": first.multiplier,
        "left_shift": first.shift,
        "right": _scale("y", second, up=up),
        "right_zero": zero_point(right),
        "right_multiplier": second.multiplier,
        "right_shift": second.shift,
        "out_multiplier": last.multiplier,
        "out_shift": last.shift,
        "out_zero": zero_point(output),
        "low": low,
        "high": high,
    }
    if site.instructions == "mve" and dtype == "int8" and left.shape == right.shape:
        function = render("add_mve.c", **values)
        return operands.make_layer(site, function, kernels=("clamp", "rescale", "mve", "add_mve"))
    return operands.make_layer(site, render("add.c", **values), kernels=(clamp_of(dtype), "rescale"))


def _scale(value: str, factor: Factor, *, up: int) -> str:
    """C that brings an operand to the common scale; half of it is exact, and needs no product."""
    if (factor.multiplier, factor.shift) == (1 << 30, 0):
        return f"{value} * (1 << {up - 1})"
    return f"rescale({value} * (1 << {up}), {factor.multiplier}, {factor.shift})"
