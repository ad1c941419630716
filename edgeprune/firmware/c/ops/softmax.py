"""SOFTMAX."""

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
from edgeprune.firmware.c.scaling import quantize_factor

_INTEGER_BITS = 5
_LARGEST_DIFFERENCE = 255


@emits("SOFTMAX")
def emit(site: Site) -> Layer:
    """exp() of each element over the sum of all, along the last dimension."""
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
    depth = site.input().shape[-1]
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
