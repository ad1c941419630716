"""MEAN and SUM."""

import numpy as np

from edgeprune.firmware.c.broadcast import Loops, fold_loops, name_loops, row_strides
from edgeprune.firmware.c.layer import Layer, Site, describe, emits, render, scale, zero_point
from edgeprune.firmware.c.scaling import quantize_factor


@emits("MEAN", "SUM")
def emit(site: Site) -> Layer:
    """Means or sums along some dimensions."""
    site.require("int8", site.input(), site.output())
    shape = site.input().shape
    summed = {int(axis) % len(shape) for axis in np.atleast_1d(site.constant(1))}
    strides = row_strides(shape)
    groups = []
    for wanted in (False, True):
        axes = [axis for axis in range(len(shape)) if (axis in summed) == wanted]
        loops = Loops(sizes=tuple(shape[a] for a in axes), strides=(tuple(strides[a] for a in axes),))
        groups.append(fold_loops(site, loops, to=3))
    kept, over = groups
    count = int(np.prod(over.sizes))
    factor = quantize_factor(float(scale(site.input())) / float(scale(site.output())))
    multiplier, shift = factor.multiplier, factor.shift
    if site.op.name == "MEAN":
        halvings = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << halvings) // count, shift - halvings
    function = render(
        "mean.c",
        name=site.label,
        comment=describe(site),
        **name_loops(
            kept=kept.sizes, kept_stride=kept.strides[0], summed=over.sizes, summed_stride=over.strides[0]
        ),
        start=-zero_point(site.input()) * count,
        multiplier=multiplier,
        shift=shift,
        out_zero=zero_point(site.output()),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        kernels=("clamp", "rescale"),
    )
