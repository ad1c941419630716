"""MAXIMUM and MINIMUM."""

from edgeprune.firmware.c.layer import Layer, Site, describe, emits, render
from edgeprune.firmware.c.operands import make_operands


@emits("MAXIMUM", "MINIMUM")
def emit(site: Site) -> Layer:
    """The larger or smaller of two values, whose scales are the same."""
    site.require("int8", site.input(0), site.input(1), site.output())
    operands = make_operands(site)
    order = ">" if site.op.name == "MAXIMUM" else "<"
    function = render("maximum.c", name=site.label, comment=describe(site), **operands.values, order=order)
    return operands.make_layer(site, function, kernels=())
