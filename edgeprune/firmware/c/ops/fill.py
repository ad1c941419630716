"""FILL and ZEROS_LIKE."""

from edgeprune.firmware.c.layer import C_TYPES, Constant, Layer, Site, emits, render


@emits("FILL")
def emit_fill(site: Site) -> Layer:
    """One value everywhere."""
    value, output = site.input(1), site.output()
    if value.dtype not in C_TYPES or value.dtype != output.dtype or value.elements != 1:
        raise site.refuse(f"it fills {output.dtype} with {value.elements} values of type {value.dtype}")
    constants = (
        (Constant(name="operand_0", values=site.constant(1).reshape(-1)),) if value.is_constant else ()
    )
    return _emit(
        site, parameter=f"const {C_TYPES[value.dtype]} *value, ", value="*value", constants=constants
    )


@emits("ZEROS_LIKE")
def emit_zeros(site: Site) -> Layer:
    """Zeros, whatever the input."""
    if site.output().dtype not in C_TYPES:
        raise site.refuse(f"it makes {site.output().dtype}")
    return _emit(site, parameter="", value="0", constants=())


def _emit(site: Site, *, parameter: str, value: str, constants: tuple[Constant, ...]) -> Layer:
    output = site.output()
    function = render(
        "fill.c",
        name=site.label,
        comment=f"{site.op.name} {'x'.join(map(str, output.shape))}",
        parameter=parameter,
        type=C_TYPES[output.dtype],
        elements=output.elements,
        value=value,
    )
    inputs = site.op.inputs[1:2] if parameter else ()
    return Layer(function=function, inputs=inputs, outputs=site.op.outputs, constants=constants)
