"""ADD and SUB."""

import numpy as np

from edgeprune.firmware.c.layer import Layer, Site, describe, emits, render, scale, zero_point
from edgeprune.firmware.c.operands import make_operands
from edgeprune.firmware.c.scaling import Factor, activation_range, quantize_factor

_SHIFT = 20


@emits("ADD", "SUB")
def emit(site: Site) -> Layer:
    """A sum or difference, with broadcasting: both inputs are brought to one scale first."""
    left, right, output = site.input(0), site.input(1), site.output()
    site.require("int8", left, right, output)
    scales = scale(left), scale(right), scale(output)
    if site.op.name == "ADD":
        twice = 2.0 * float(max(scales[:2]))
        inputs = float(scales[0]) / twice, float(scales[1]) / twice
        result = twice / ((1 << _SHIFT) * float(scales[2]))
    else:  # TFLM computes these in float32
        single = np.float32(2) * max(scales[:2])
        inputs = float(scales[0] / single), float(scales[1] / single)
        result = float(single / (np.float32(1 << _SHIFT) * scales[2]))
    first, second, last = (quantize_factor(each) for each in (*inputs, result))
    low, high = activation_range(site.op.options["fused_activation_function"], output)
    operands = make_operands(site)
    values = {
        "name": site.label,
        "comment": describe(site),
        **operands.values,
        "elements": output.elements,
        "sign": "+" if site.op.name == "ADD" else "-",
        "left": _scale("x", first),
        "left_zero": zero_point(left),
        "left_multiplier": first.multiplier,
        "left_shift": first.shift,
        "right": _scale("y", second),
        "right_zero": zero_point(right),
        "right_multiplier": second.multiplier,
        "right_shift": second.shift,
        "out_multiplier": last.multiplier,
        "out_shift": last.shift,
        "out_zero": zero_point(output),
        "low": low,
        "high": high,
    }
    if site.instructions == "mve" and left.shape == right.shape:
        function = render("add_mve.c", **values)
        return operands.make_layer(site, function, kernels=("clamp", "rescale", "mve", "add_mve"))
    return operands.make_layer(site, render("add.c", **values), kernels=("clamp", "rescale"))


def _scale(value: str, factor: Factor) -> str:
    """C that brings an operand to the common scale; half of it is exact, and needs no product."""
    if (factor.multiplier, factor.shift) == (1 << 30, 0):
        return f"{value} * (1 << {_SHIFT - 1})"
    return f"rescale({value} * (1 << {_SHIFT}), {factor.multiplier}, {factor.shift})"
