"""GATHER and EMBEDDING_LOOKUP."""

from math import prod

from edgeprune.firmware.c.layer import C_TYPES, Constant, Layer, Site, describe, emits, render
from edgeprune.tflite.model import BITS


@emits("GATHER")
def emit_gather(site: Site) -> Layer:
    """Slices of the input along one dimension, by their places."""
    shape, places = site.input().shape, site.input(1).shape
    axis = site.place_axis(int(site.op.options["axis"]), len(shape))
    shared = int(site.op.options.get("batch_dims", 0))
    shared += len(places) if shared < 0 else 0
    return _emit(
        site,
        values=0,
        batches=prod(shape[:shared]),
        outer=prod(shape[shared:axis]),
        count=prod(places[shared:]),
        size=shape[axis],
        inner=prod(shape[axis + 1 :]),
    )


@emits("EMBEDDING_LOOKUP")
def emit_embedding(site: Site) -> Layer:
    """Rows of a table by their places."""
    table = site.input(1).shape
    count, inner = site.input(0).elements, prod(table[1:])
    return _emit(site, values=1, batches=1, outer=1, count=count, size=table[0], inner=inner)


def _emit(site: Site, *, values: int, **sizes: int) -> Layer:
    """The function.

    Args:
        site: the op.
        values: which of the two inputs is moved; the other one holds places.
        sizes: for the template.
    """
    moved, places = site.input(values), site.input(1 - values)
    site.require("int32", places)
    if moved.dtype not in C_TYPES or moved.dtype != site.output().dtype:
        raise site.refuse(f"it makes {site.output().dtype} of {moved.dtype}")
    parameters = [f"const {C_TYPES[moved.dtype]} *values", "const int32_t *places"]
    function = render(
        "gather.c",
        name=site.label,
        comment=describe(site, source=values),
        parameters=", ".join(parameters if values == 0 else parameters[::-1]),
        type=C_TYPES[moved.dtype],
        bytes=BITS[moved.dtype] // 8,
        **sizes,
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
        kernels=("bytes",),
    )
