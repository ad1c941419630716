"""CAST."""

from edgeprune.firmware.c.layer import C_TYPES, Layer, Site, describe, emits, render

_TYPES = ("int8", "int16", "int32", "float32")


@emits("CAST")
def emit(site: Site) -> Layer:
    """The same numbers in another type; integers that do not fit keep their lower bits, as in C."""
    source, output = site.input(), site.output()
    if source.dtype not in (*_TYPES, "bool") or output.dtype not in _TYPES:
        raise site.refuse(f"it makes {output.dtype} of {source.dtype}")
    value = "input[i]"
    if source.dtype == "bool":
        value = "((input[i] != 0) ? 1 : 0)"
    elif source.dtype == "float32" and output.dtype != "float32":
        value = f"truncate_float({value})"
    function = render(
        "cast.c",
        name=site.label,
        comment=describe(site),
        source=C_TYPES[source.dtype],
        target=C_TYPES[output.dtype],
        elements=source.elements,
        value=value,
    )
    kernels = ("truncate",) if "truncate" in value else ()
    return Layer(function=function, inputs=site.op.inputs, outputs=site.op.outputs, kernels=kernels)
