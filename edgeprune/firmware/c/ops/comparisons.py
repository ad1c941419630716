"""EQUAL, LESS and their kin, logic on what they give, and SELECT_V2."""

from edgeprune.firmware.c.broadcast import Loops, broadcast_strides, fold_loops, name_loops
from edgeprune.firmware.c.layer import (
    C_TYPES,
    Constant,
    Layer,
    Site,
    describe,
    emits,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.operands import emit_pairs
from edgeprune.firmware.c.scaling import quantize_factor

_SHIFT = 8
_ORDERS = {
    "EQUAL": "==",
    "NOT_EQUAL": "!=",
    "GREATER": ">",
    "GREATER_EQUAL": ">=",
    "LESS": "<",
    "LESS_EQUAL": "<=",
    "LOGICAL_AND": "&&",
    "LOGICAL_OR": "||",
}
_SELECTED = ("int8", "int16", "float32")


@emits("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
def emit_comparison(site: Site) -> Layer:
    """Whether it is so, 1 or 0, for each pair of values; int8 is brought to one scale first."""
    left, right = site.input(0), site.input(1)
    if left.dtype not in ("int8", "int32", "float32"):
        raise site.refuse(f"it compares {left.dtype}")
    site.require(left.dtype, left, right)
    if left.dtype != "int8":
        return _emit_pairs(site, x="*a", y="*b", kernels=())
    x, y = (
        f"rescale((*{pointer} - ({zero_point(each)})) * (1 << {_SHIFT}), {factor.multiplier}, {factor.shift})"
        for pointer, each, factor in (
            ("a", left, quantize_factor(float(scale(left)))),
            ("b", right, quantize_factor(float(scale(right)))),
        )
    )
    return _emit_pairs(site, x=x, y=y, kernels=("rescale",))


@emits("LOGICAL_AND", "LOGICAL_OR")
def emit_logic(site: Site) -> Layer:
    """Both, or either."""
    site.require("bool", site.input(0), site.input(1))
    return _emit_pairs(site, x="(*a != 0)", y="(*b != 0)", kernels=())


@emits("LOGICAL_NOT")
def emit_not(site: Site) -> Layer:
    """1 for 0, and 0 for anything else."""
    site.require("bool", site.input(), site.output())
    function = render("not.c", name=site.label, comment=describe(site), elements=site.input().elements)
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        overlaps={site.op.inputs[0]: 0},
    )


def _emit_pairs(site: Site, *, x: str, y: str, kernels: tuple[str, ...]) -> Layer:
    site.require("bool", site.output())
    return emit_pairs(site, value=f"({x} {_ORDERS[site.op.name]} {y}) ? 1 : 0", kernels=kernels)


@emits("SELECT_V2")
def emit_select(site: Site) -> Layer:
    """One value where a condition holds, another one where not, with broadcasting."""
    output = site.output()
    if output.dtype not in _SELECTED:
        raise site.refuse(f"it selects {output.dtype}")
    site.require("bool", site.input(0))
    for at in (1, 2):
        if site.input(at).dtype != output.dtype:
            raise site.refuse(f"it makes {output.dtype} of {site.input(at).dtype}")
    strides = tuple(broadcast_strides(site.input(at).shape, output.shape) for at in range(3))
    loops = fold_loops(site, Loops(sizes=output.shape, strides=strides), to=4)
    function = render(
        "select.c",
        name=site.label,
        comment=describe(site, source=1),
        type=C_TYPES[output.dtype],
        **name_loops(n=loops.sizes, when=loops.strides[0], left=loops.strides[1], right=loops.strides[2]),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:3],
        outputs=site.op.outputs,
        constants=tuple(
            Constant(name=f"operand_{at}", values=site.constant(at).reshape(-1))
            for at in range(3)
            if site.input(at).is_constant
        ),
    )
