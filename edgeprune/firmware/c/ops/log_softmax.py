"""LOG_SOFTMAX."""

import math

import numpy as np

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
from edgeprune.firmware.c.scaling import divide_by_power_of_two, quantize_factor

_INTEGER_BITS = 5
_ONE = 1 << (31 - _INTEGER_BITS)
_LARGEST_DIFFERENCE = 255


@emits("LOG_SOFTMAX")
def emit(site: Site) -> Layer:
    """Each element less the logarithm of the sum of all exp(), along the last dimension."""
    if site.input().dtype == "float32":
        return emit_float_rows(site)
    site.require("int8", site.input(), site.output())
    if zero_point(site.output()) != 127 or scale(site.output()) != np.float32(1 / 16):
        raise site.refuse("its output is not quantized with scale 1/16 and zero point 127")
    factor = quantize_factor(min(float(scale(site.input())) * _ONE, (1 << 31) - 1.0))
    if factor.shift < 1:
        raise site.refuse(f"its scale of {scale(site.input()):g} is too small")
    back = quantize_factor((1 << (31 - factor.shift)) / factor.multiplier)
    radius = math.floor(31 * _ONE / (1 << factor.shift))
    last = min(radius, _LARGEST_DIFFERENCE)
    differences = factor.scale(-np.arange(last + 1, dtype=np.int64))
    exponentials = divide_by_power_of_two(exp_of_negative(differences, integer_bits=_INTEGER_BITS), 12)
    depth = site.row_length()
    function = render(
        "log_softmax.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // depth,
        depth=depth,
        last=last,
        furthest=radius,
        back_multiplier=back.multiplier,
        back_shift=back.shift,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        constants=(
            Constant(name="differences", values=differences.astype(np.int32)),
            Constant(name="exp", values=exponentials.astype(np.int32)),
        ),
        kernels=("clamp", "rescale", "reciprocal", "leading_zeros", "logarithm"),
        overlaps=elementwise(of=site.op.inputs[0]),
    )
