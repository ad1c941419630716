"""MAXIMUM and MINIMUM."""

from edgeprune.firmware.c.layer import C_TYPES, Layer, Site, describe, emits, render
from edgeprune.firmware.c.operands import make_operands


@emits("MAXIMUM", "MINIMUM")
def emit(site: Site) -> Layer:
    """The larger or smaller of two values, whose scales are the same."""
    dtype = site.output().dtype
    if dtype not in C_TYPES:
        raise site.refuse(f"it makes {dtype}")
    site.require(dtype, site.input(0), site.input(1))
    operands = make_operands(site)
    order = ">" if site.op.name == "MAXIMUM" else "<"
    function = render(
        "maximum.c",
        name=site.label,
        comment=describe(site),
        type=C_TYPES[dtype],
        **operands.values,
        order=order,
    )
    return operands.make_layer(site, function, kernels=())
