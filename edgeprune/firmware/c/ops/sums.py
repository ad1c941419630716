"""ADD_N and CUMSUM: sums of values of one scale, in halves of 2^-20 of it."""

from math import prod

from edgeprune.firmware.c.layer import Layer, Site, describe, emits, render, scale, zero_point
from edgeprune.firmware.c.scaling import quantize_factor

_SHIFT = 20


@emits("ADD_N")
def emit_add_n(site: Site) -> Layer:
    """Several tensors of one shape, element by element; all are taken to have the first one's scale."""
    count = len(site.op.inputs)
    _require(site)
    function = render(
        "add_n.c",
        name=site.label,
        comment=describe(site),
        parameters=", ".join(f"const int8_t *input_{at}" for at in range(count)),
        start=-zero_point(site.input()) * (1 + count),
        terms=" + ".join(f"input_{at}[i]" for at in range(count)),
        elements=site.output().elements,
        **_name_scaling(site),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=("clamp", "rescale"),
        overlaps=dict.fromkeys(site.op.inputs, 0),
    )


@emits("CUMSUM")
def emit_cumsum(site: Site) -> Layer:
    """Sums of all elements so far along one dimension, with or without the last one."""
    _require(site)
    shape, options = site.input().shape, site.op.options
    axis = site.place_axis(int(site.constant(1).reshape(-1)[0]), len(shape))
    size, inner = shape[axis], prod(shape[axis + 1 :])
    update = f"sum = add_wrapping(sum, (input[at] - ({zero_point(site.input())})) * (1 << {_SHIFT - 1}));"
    function = render(
        "cumsum.c",
        name=site.label,
        comment=describe(site),
        start=-zero_point(site.input()) * (1 << (_SHIFT - 1)),
        outer=prod(shape[:axis]),
        size=size,
        inner=inner,
        place="SIZE - 1 - i" if options.get("reverse") else "i",
        before="" if options.get("exclusive") else f"                {update}\n",
        after=f"                {update}\n" if options.get("exclusive") else "",
        **_name_scaling(site),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        kernels=("clamp", "rescale", "wrapping"),
    )


def _require(site: Site) -> None:
    at = range(1) if site.op.name == "CUMSUM" else range(len(site.op.inputs))
    site.require("int8", *(site.input(each) for each in at), site.output())


def _name_scaling(site: Site) -> dict[str, int]:
    real = 2.0 * float(scale(site.input())) / ((1 << _SHIFT) * float(scale(site.output())))
    if real >= 1.0:
        raise site.refuse("its output's scale is too small for its input's")
    factor = quantize_factor(real)
    return {
        "multiplier": factor.multiplier,
        "shift": factor.shift,
        "out_zero": zero_point(site.output()),
    }
