"""MUL."""

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
from edgeprune.firmware.c.scaling import activation_range, quantize_factor


@emits("MUL")
def emit(site: Site) -> Layer:
    """A product, with broadcasting."""
    left, right, output = site.input(0), site.input(1), site.output()
    if left.dtype == "float32":
        return emit_floats(site)
    if left.dtype == "int32":
        return emit_whole(site)
    dtype = site.require_integers(left, right, output)
    factor = quantize_factor(float(scale(left)) * float(scale(right)) / float(scale(output)))
    low, high = activation_range(site.op.options["fused_activation_function"], output)
    operands = make_operands(site)
    function = render(
        "mul.c",
        name=site.label,
        **name_type(dtype),
        comment=describe(site),
        **operands.values,
        left_zero=zero_point(left),
        right_zero=zero_point(right),
        multiplier=factor.multiplier,
        shift=factor.shift,
        out_zero=zero_point(output),
        low=low,
        high=high,
    )
    return operands.make_layer(site, function, kernels=(clamp_of(dtype), "rescale"))
