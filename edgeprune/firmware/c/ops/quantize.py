"""QUANTIZE and DEQUANTIZE between float32 and int8; from int8 to int8 QUANTIZE is a table."""

from edgeprune.firmware.c.layer import Layer, Site, describe, emits, format_float, render, scale, zero_point
from edgeprune.firmware.c.ops.lookup import emit as emit_lookup


@emits("QUANTIZE")
def emit_quantize(site: Site) -> Layer:
    """int8 from real numbers, or from int8 of another scale."""
    if site.input().dtype == "int8":
        return emit_lookup(site)
    site.require("float32", site.input())
    site.require("int8", site.output())
    return _emit(site, tensor=1)


@emits("DEQUANTIZE")
def emit_dequantize(site: Site) -> Layer:
    """Real numbers from int8."""
    site.require("int8", site.input())
    site.require("float32", site.output())
    return _emit(site, tensor=0)


def _emit(site: Site, *, tensor: int) -> Layer:
    quantized = (site.input(), site.output())[tensor]
    function = render(
        f"{site.op.name.lower()}.c",
        name=site.label,
        comment=describe(site),
        elements=site.input().elements,
        scale=format_float(scale(quantized)),
        zero=zero_point(quantized),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=("clamp",) if tensor else (),
    )
