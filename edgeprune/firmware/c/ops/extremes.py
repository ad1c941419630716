"""REDUCE_MAX and REDUCE_MIN, ARG_MAX and ARG_MIN."""

from math import prod

import numpy as np

from edgeprune.firmware.c.broadcast import name_reduction
from edgeprune.firmware.c.layer import C_TYPES, Layer, Site, describe, emits, render, scale, zero_point

_TYPES = ("int8", "float32")


@emits("REDUCE_MAX", "REDUCE_MIN")
def emit_reduce(site: Site) -> Layer:
    """The largest or smallest along some dimensions."""
    _require(site)
    source, output = site.input(), site.output()
    site.require(source.dtype, source, output)
    if source.dtype == "int8" and (scale(source), zero_point(source)) != (scale(output), zero_point(output)):
        raise site.refuse("its input and output are not quantized alike")
    axes = [int(axis) for axis in np.atleast_1d(site.constant(1))]
    function = render(
        "reduce_max.c",
        name=site.label,
        comment=describe(site),
        type=C_TYPES[source.dtype],
        order=">" if site.op.name == "REDUCE_MAX" else "<",
        **name_reduction(site, axes),
    )
    return Layer(function=function, inputs=site.op.inputs[:1], outputs=site.op.outputs)


@emits("ARG_MAX", "ARG_MIN")
def emit_arg(site: Site) -> Layer:
    """The place of the largest or smallest along one dimension; of several, the first."""
    _require(site)
    site.require("int32", site.output())
    shape = site.input().shape
    axis = site.place_axis(int(site.constant(1).reshape(-1)[0]), len(shape))
    function = render(
        "arg_max.c",
        name=site.label,
        comment=describe(site),
        type=C_TYPES[site.input().dtype],
        order=">" if site.op.name == "ARG_MAX" else "<",
        outer=prod(shape[:axis]),
        size=shape[axis],
        inner=prod(shape[axis + 1 :]),
    )
    return Layer(function=function, inputs=site.op.inputs[:1], outputs=site.op.outputs)


def _require(site: Site) -> None:
    if site.input().dtype not in _TYPES:
        raise site.refuse(f"its input is {site.input().dtype}, not {' or '.join(_TYPES)}")
