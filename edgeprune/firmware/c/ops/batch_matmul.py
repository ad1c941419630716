"""BATCH_MATMUL."""

from collections.abc import Mapping
from typing import Any

from edgeprune.firmware.c.arithmetic import shorten_multiplier
from edgeprune.firmware.c.broadcast import broadcast_strides, name_loops
from edgeprune.firmware.c.layer import (
    Constant,
    Layer,
    Site,
    describe,
    emits,
    render,
    scale,
    shape_4d,
    zero_point,
)
from edgeprune.firmware.c.scaling import Factor, quantize_factor


@emits("BATCH_MATMUL")
def emit(site: Site) -> Layer:
    """Products of matrices, batch by batch; either may be transposed."""
    left, right, output = site.input(0), site.input(1), site.output()
    values, kernels = _compute(site)
    if max(len(left.shape), len(right.shape)) > 4:
        raise site.refuse("its matrices have more than two batch dimensions")
    shapes = shape_4d(left.shape), shape_4d(right.shape)
    sizes = shape_4d(output.shape)
    strides = [list(broadcast_strides(shape, (*sizes[:2], *shape[2:]))) for shape in shapes]
    (left_row, left_depth), depth = strides[0][2:], shapes[0][3]
    if site.op.options["adj_x"]:
        left_row, left_depth, depth = left_depth, left_row, shapes[0][2]
    right_depth, right_column = strides[1][2:]
    if site.op.options["adj_y"]:
        right_depth, right_column = right_column, right_depth
    function = render(
        "batch_matmul.c",
        name=site.label,
        comment=describe(site),
        **name_loops(n=sizes, left=(*strides[0][:2], left_row, 0), right=(*strides[1][:2], 0, right_column)),
        depth=depth,
        left_depth=left_depth,
        right_depth=right_depth,
        **values,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:2],
        outputs=site.op.outputs,
        constants=tuple(
            Constant(name=f"operand_{at}", values=site.constant(at).reshape(-1))
            for at in (0, 1)
            if site.input(at).is_constant
        ),
        kernels=kernels,
    )


def _compute(site: Site) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What the template computes with, and the kernels that takes."""
    left, right, output = site.input(0), site.input(1), site.output()
    if left.dtype == "float32":
        site.require("float32", left, right, output)
        values = {"type": "float", "sum_type": "float", "nothing": "0.0F", "result": "sum"}
        return {**values, "left_less": "", "right_less": ""}, ()
    dtype = site.require_integers(left, right, output)
    # TFLM multiplies these two in float32.
    factor = quantize_factor(float(scale(left) * scale(right)) / float(scale(output)))
    if dtype == "int16":
        return _compute_wide(site, factor)
    scaled = f"add_wrapping(rescale(sum, {factor.multiplier}, {factor.shift}), {zero_point(output)})"
    return {
        "type": "int8_t",
        "sum_type": "int32_t",
        "nothing": "0",
        "left_less": f" - ({zero_point(left)})",
        "right_less": f" - ({zero_point(right)})",
        "result": f"clamp_int8({scaled}, INT8_MIN, INT8_MAX)",
    }, ("clamp", "rescale")


def _compute_wide(site: Site, factor: Factor) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    multiplier = shorten_multiplier(site, factor)
    return {
        "type": "int16_t",
        "sum_type": "int64_t",
        "nothing": "0",
        "left_less": "",
        "right_less": "",
        "result": f"clamp_int16(rescale_wide(sum, {multiplier}, {factor.shift}), INT16_MIN, INT16_MAX)",
    }, ("clamp_wide", "requantize_wide")
