"""BATCH_MATMUL."""

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
from edgeprune.firmware.c.scaling import quantize_factor


@emits("BATCH_MATMUL")
def emit(site: Site) -> Layer:
    """Products of matrices, batch by batch; either may be transposed."""
    left, right, output = site.input(0), site.input(1), site.output()
    site.require("int8", left, right, output)
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
    # TFLM multiplies these two in float32.
    factor = quantize_factor(float(scale(left) * scale(right)) / float(scale(output)))
    function = render(
        "batch_matmul.c",
        name=site.label,
        comment=describe(site),
        **name_loops(n=sizes, left=(*strides[0][:2], left_row, 0), right=(*strides[1][:2], 0, right_column)),
        depth=depth,
        left_depth=left_depth,
        right_depth=right_depth,
        left_zero=zero_point(left),
        right_zero=zero_point(right),
        multiplier=factor.multiplier,
        shift=factor.shift,
        out_zero=zero_point(output),
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
        kernels=("clamp", "rescale"),
    )
