"""PRELU."""

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


@emits("PRELU")
def emit(site: Site) -> Layer:
    """The value, or where it is negative a slope of its own times it."""
    value, slope, output = site.input(0), site.input(1), site.output()
    if value.dtype == "float32":
        return emit_floats(site)
    dtype = site.require_integers(value, output)
    site.require("int8", slope)
    above = quantize_factor(float(scale(value)) / float(scale(output)))
    below = quantize_factor(float(scale(value)) * float(scale(slope)) / float(scale(output)))
    operands = make_operands(site)
    function = render(
        "prelu.c",
        name=site.label,
        **name_type(dtype),
        comment=describe(site),
        **operands.values,
        left_zero=zero_point(value),
        right_zero=zero_point(slope),
        multiplier=above.multiplier,
        shift=above.shift,
        slope_multiplier=below.multiplier,
        slope_shift=below.shift,
        out_zero=zero_point(output),
    )
    return operands.make_layer(site, function, kernels=(clamp_of(dtype), "rescale"))
