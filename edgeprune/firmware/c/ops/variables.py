"""READ_VARIABLE and ASSIGN_VARIABLE, whose handles `settle_resources` has made tensors of the state."""

from edgeprune.firmware.c.layer import Layer, Site, emits
from edgeprune.firmware.c.ops.copies import Move, emit_moves


@emits("READ_VARIABLE", "ASSIGN_VARIABLE")
def emit(site: Site) -> Layer:
    """A copy from the state, or to it."""
    elements = (site.output().elements,)
    whole = Move(shape=elements, strides=(1,), target_strides=(1,))
    return emit_moves(site, [whole], sources=[0])
