"""SQUARED_DIFFERENCE."""

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
from edgeprune.firmware.c.ops.floats import emit_floats
from edgeprune.firmware.c.scaling import quantize_factor

_SHIFTS = {"int8": 7, "int16": 0}


@emits("SQUARED_DIFFERENCE")
def emit(site: Site) -> Layer:
    """The square of a difference, with broadcasting: both inputs are brought to one scale first."""
    left, right, output = site.input(0), site.input(1), site.output()
    if left.dtype == "float32":
        return emit_floats(site)
    dtype = site.require_integers(left, right, output)
    up = _SHIFTS[dtype]
    twice = 2.0 * float(max(scale(left), scale(right)))
    first, second = (quantize_factor(float(scale(each)) / twice) for each in (left, right))
    last = quantize_factor(twice * twice / ((1 << (2 * up)) * float(scale(output))))
    operands = make_operands(site)
    function = render(
        "squared_difference.c",
        name=site.label,
        **name_type(dtype),
        comment=describe(site),
        **operands.values,
        up=up,
        left_zero=zero_point(left),
        left_multiplier=first.multiplier,
        left_shift=first.shift,
        right_zero=zero_point(right),
        right_multiplier=second.multiplier,
        right_shift=second.shift,
        out_multiplier=last.multiplier,
        out_shift=last.shift,
        out_zero=zero_point(output),
    )
    return operands.make_layer(site, function, kernels=(clamp_of(dtype), "rescale"))
