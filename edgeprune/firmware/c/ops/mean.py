"""MEAN and SUM."""

from collections.abc import Mapping
from typing import Any

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
    loops = name_reduction(site, [int(axis) for axis in np.atleast_1d(site.constant(1))])
    count = loops["summed_0"] * loops["summed_1"] * loops["summed_2"]
    is_float = site.input().dtype == "float32"
    values, kernels = _compute_floats(site, count) if is_float else _compute_integers(site, count)
    function = render("mean.c", name=site.label, comment=describe(site), **loops, **values)
    return Layer(function=function, inputs=site.op.inputs[:1], outputs=site.op.outputs, kernels=kernels)


def _compute_floats(site: Site, count: int) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    site.require("float32", site.output())
    result = f"sum / {count}.0F" if site.op.name == "MEAN" else "sum"
    return {"type": "float", "sum_type": "float", "start": "0.0F", "result": result}, ()


def _compute_integers(site: Site, count: int) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    dtype = site.require_integers(site.input(), site.output())
    factor = quantize_factor(float(scale(site.input())) / float(scale(site.output())))
    multiplier, shift = factor.multiplier, factor.shift
    if site.op.name == "MEAN":
        halvings = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << halvings) // count, shift - halvings
    names = name_type(dtype)
    scaled = f"add_wrapping(rescale(sum, {multiplier}, {shift}), {zero_point(site.output())})"
    return {
        **names,
        "sum_type": "int32_t",
        "start": -zero_point(site.input()) * count,
        "result": f"{names['clamp']}({scaled}, {names['lowest']}, {names['highest']})",
    }, (clamp_of(dtype), "rescale")
