"""ADD_N and CUMSUM: sums of values of one scale, for int8 in halves of 2^-20 of it."""

from collections.abc import Mapping
from math import prod
from typing import Any

from edgeprune.firmware.c.layer import C_TYPES, Layer, Site, describe, emits, render, scale, zero_point
from edgeprune.firmware.c.scaling import quantize_factor

_SHIFT = 20


@emits("ADD_N")
def emit_add_n(site: Site) -> Layer:
    """Several tensors of one shape, element by element; all are taken to have the first one's scale."""
    count = len(site.op.inputs)
    _require(site, *range(count))
    is_float = site.input().dtype == "float32"
    halves = f"(int32_t)((uint32_t)sum << {_SHIFT - 1})"
    kind = C_TYPES[site.input().dtype]
    function = render(
        "add_n.c",
        name=site.label,
        comment=describe(site),
        parameters=", ".join(f"const {kind} *input_{at}" for at in range(count)),
        start="0.0F" if is_float else -zero_point(site.input()) * (1 + count),
        terms=" + ".join(f"input_{at}[i]" for at in range(count)),
        elements=site.output().elements,
        **_compute(site, "sum" if is_float else halves),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=() if is_float else ("clamp", "rescale"),
        overlaps=dict.fromkeys(site.op.inputs, 0),
    )


@emits("CUMSUM")
def emit_cumsum(site: Site) -> Layer:
    """Sums of all elements so far along one dimension, with or without the last one."""
    _require(site, 0)
    is_float = site.input().dtype == "float32"
    shape, options = site.input().shape, site.op.options
    axis = site.place_axis(int(site.constant(1).reshape(-1)[0]), len(shape))
    halves = f"(input[at] - ({zero_point(site.input())})) * (1 << {_SHIFT - 1})"
    update = "sum += input[at];" if is_float else f"sum = add_wrapping(sum, {halves});"
    function = render(
        "cumsum.c",
        name=site.label,
        comment=describe(site),
        start="0.0F" if is_float else -zero_point(site.input()) * (1 << (_SHIFT - 1)),
        outer=prod(shape[:axis]),
        size=shape[axis],
        inner=prod(shape[axis + 1 :]),
        place="SIZE - 1 - i" if options.get("reverse") else "i",
        before="" if options.get("exclusive") else f"                {update}\n",
        after=f"                {update}\n" if options.get("exclusive") else "",
        **_compute(site, "sum"),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        kernels=() if is_float else ("clamp", "rescale", "wrapping"),
    )


def _require(site: Site, *places: int) -> None:
    dtype = "float32" if site.input().dtype == "float32" else "int8"
    site.require(dtype, *(site.input(at) for at in places), site.output())


def _compute(site: Site, total: str) -> Mapping[str, Any]:
    """Types for the template, and the output as an expression of a sum.

    Args:
        site: the op.
        total: C of the sum in its fine steps.
    """
    if site.input().dtype == "float32":
        return {"type": "float", "sum_type": "float", "result": total}
    real = 2.0 * float(scale(site.input())) / ((1 << _SHIFT) * float(scale(site.output())))
    if real >= 1.0:
        raise site.refuse("its output's scale is too small for its input's")
    factor = quantize_factor(real)
    scaled = f"rescale({total}, {factor.multiplier}, {factor.shift}) + ({zero_point(site.output())})"
    return {
        "type": "int8_t",
        "sum_type": "int32_t",
        "result": f"clamp_int8({scaled}, INT8_MIN, INT8_MAX)",
    }
