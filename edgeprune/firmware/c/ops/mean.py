"""MEAN and SUM."""

import numpy as np

from edgeprune.firmware.c.broadcast import name_reduction
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
from edgeprune.firmware.c.scaling import quantize_factor


@emits("MEAN", "SUM")
def emit(site: Site) -> Layer:
    """Means or sums along some dimensions."""
    dtype = site.require_integers(site.input(), site.output())
    loops = name_reduction(site, [int(axis) for axis in np.atleast_1d(site.constant(1))])
    count = loops["summed_0"] * loops["summed_1"] * loops["summed_2"]
    factor = quantize_factor(float(scale(site.input())) / float(scale(site.output())))
    multiplier, shift = factor.multiplier, factor.shift
    if site.op.name == "MEAN":
        halvings = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << halvings) // count, shift - halvings
    function = render(
        "mean.c",
        name=site.label,
        **name_type(dtype),
        comment=describe(site),
        **loops,
        start=-zero_point(site.input()) * count,
        multiplier=multiplier,
        shift=shift,
        out_zero=zero_point(site.output()),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        kernels=(clamp_of(dtype), "rescale"),
    )
