"""L2_NORMALIZATION."""

from edgeprune.firmware.c.layer import Layer, Site, describe, elementwise, emits, render, zero_point
from edgeprune.firmware.c.ops.floats import emit_float_rows


@emits("L2_NORMALIZATION")
def emit(site: Site) -> Layer:
    """Rows divided by the root of the sum of their squares, in steps of 1/128."""
    if site.input().dtype == "float32":
        return emit_float_rows(site)
    site.require("int8", site.input(), site.output())
    depth = site.row_length()
    function = render(
        "l2_normalization.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // depth,
        depth=depth,
        zero=zero_point(site.input()),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=("clamp", "rescale", "inverse_root"),
        overlaps=elementwise(of=site.op.inputs[0]),
    )
