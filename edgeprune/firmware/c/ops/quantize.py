"""QUANTIZE and DEQUANTIZE; between types of 8 bits QUANTIZE is a table, or less."""

import numpy as np

from edgeprune.firmware.c.layer import (
    C_TYPES,
    Layer,
    Site,
    clamp_of,
    describe,
    elementwise,
    emits,
    format_float,
    name_type,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.ops.lookup import emit_each, emit_table
from edgeprune.firmware.c.scaling import quantize_factor

_BYTES = ("int8", "uint8")
_INTEGERS = ("int8", "int16", "int32")
_MOST_STEPS = {"int8": 1000, "int16": 100000}
"""More than there are between the ends of a type."""


@emits("QUANTIZE")
def emit_quantize(site: Site) -> Layer:
    """Integers from real numbers, or from integers of another type or scale."""
    source, output = site.input(), site.output()
    types = (source.dtype, output.dtype)
    if source.dtype in _BYTES and output.dtype in _BYTES and types != ("uint8", "uint8"):
        return _emit_bytes(site)
    if source.dtype in _INTEGERS and output.dtype in _INTEGERS:
        return _emit_integers(site)
    site.require("float32", source)
    dtype = site.require_integers(output)
    function = render(
        "quantize.c",
        name=site.label,
        comment=describe(site),
        elements=source.elements,
        **name_type(dtype),
        most=_MOST_STEPS[dtype],
        scale=format_float(scale(output)),
        zero=zero_point(output),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=(clamp_of(dtype), "round_steps"),
    )


def _emit_integers(site: Site) -> Layer:
    """Between int8, int16 and int32, at least one of them wider than a byte."""
    source, output = site.input(), site.output()
    for tensor in (source, output):
        site.require(tensor.dtype, tensor)
        if tensor.scales.size != 1:
            raise site.refuse(f"its tensor {tensor.index} has {tensor.scales.size} scales, not one")
    factor = quantize_factor(float(scale(source)) / float(scale(output)))
    value = f"rescale(value, {factor.multiplier}, {factor.shift})"
    return emit_each(site, above=value, below=value, zero=zero_point(output))


def _emit_bytes(site: Site) -> Layer:
    source, output = site.input(), site.output()
    for tensor in (source, output):
        site.require(tensor.dtype, tensor)
    limits = np.iinfo(source.dtype)
    shifted = zero_point(source) - limits.min == zero_point(output) - np.iinfo(output.dtype).min
    if source.dtype != output.dtype and shifted and scale(source) == scale(output):
        function = render(
            "quantize_flip.c",
            name=site.label,
            comment=describe(site),
            source=C_TYPES[source.dtype],
            target=C_TYPES[output.dtype],
            elements=source.elements,
        )
        return Layer(
            function=function,
            inputs=site.op.inputs,
            outputs=site.op.outputs,
            overlaps=elementwise(of=site.op.inputs[0]),
        )
    factor = quantize_factor(float(scale(source)) / float(scale(output)))
    values = np.arange(limits.min, limits.max + 1, dtype=np.int64) - zero_point(source)
    return emit_table(site, factor.scale(values) + zero_point(output))


@emits("DEQUANTIZE")
def emit_dequantize(site: Site) -> Layer:
    """Real numbers from integers."""
    source = site.input()
    if source.dtype != "uint8":
        site.require_integers(source)
    site.require(source.dtype, source)
    site.require("float32", site.output())
    function = render(
        "dequantize.c",
        name=site.label,
        comment=describe(site),
        source=C_TYPES[source.dtype],
        elements=source.elements,
        scale=format_float(scale(source)),
        zero=zero_point(source),
    )
    return Layer(function=function, inputs=site.op.inputs, outputs=site.op.outputs)
