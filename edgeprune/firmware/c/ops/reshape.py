"""Ops that leave every byte where it is: RESHAPE, SQUEEZE, EXPAND_DIMS."""

from edgeprune.firmware.c.layer import Layer, Site, emits


@emits("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def emit(site: Site) -> Layer:
    """The input under another name."""
    if site.input().is_constant:
        raise site.refuse("its input is a constant")
    return Layer(function="", inputs=site.op.inputs[:1], outputs=site.op.outputs)
