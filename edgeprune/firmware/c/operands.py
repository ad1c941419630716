"""What ops of two operands share: broadcasting, constants among them, and working in place."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeprune.firmware.c.broadcast import Loops, broadcast_strides, fold_loops, name_loops
from edgeprune.firmware.c.layer import C_TYPES, Constant, Layer, Site, describe, render


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Operands:
    """Both operands of an op.

    Attributes:
        values: the loops' sizes and strides, for the template.
        in_place: tensors that the output may overwrite element by element.
        constants: operands that are constants.
    """

    values: Mapping[str, int]
    in_place: tuple[int, ...]
    constants: tuple[Constant, ...]

    def make_layer(self, site: Site, function: str, *, kernels: tuple[str, ...]) -> Layer:
        """The layer; operands that are constants are arguments of its function all the same."""
        return Layer(
            function=function,
            inputs=site.op.inputs[:2],
            outputs=site.op.outputs,
            constants=self.constants,
            kernels=kernels,
            overlaps=dict.fromkeys(self.in_place, 0),
        )


def make_operands(site: Site) -> Operands:
    """The loops over both operands, broadcast to the output.

    Raises:
        OpError: the shapes need more than four nested loops.
    """
    output = site.output().shape
    strides = tuple(broadcast_strides(site.input(at).shape, output) for at in (0, 1))
    loops = fold_loops(site, Loops(sizes=output, strides=strides), to=4)
    left, right = loops.strides
    return Operands(
        values=name_loops(n=loops.sizes, left=left, right=right),
        in_place=tuple(
            site.op.inputs[at] for at in (0, 1) if site.input(at).elements == site.output().elements
        ),
        constants=tuple(
            Constant(name=f"operand_{at}", values=site.constant(at).reshape(-1))
            for at in (0, 1)
            if site.input(at).is_constant
        ),
    )


def emit_pairs(site: Site, *, value: str, kernels: tuple[str, ...]) -> Layer:
    """An op on pairs of elements, with broadcasting.

    Args:
        site: the op.
        value: C of what it makes of `*a` and `*b`.
        kernels: files of `templates/c/kernels` that this calls.
    """
    operands = make_operands(site)
    function = render(
        "pairs.c",
        name=site.label,
        comment=describe(site),
        **operands.values,
        type=C_TYPES[site.input().dtype],
        target=C_TYPES[site.output().dtype],
        value=value,
    )
    layer = operands.make_layer(site, function, kernels=kernels)
    in_place = site.input().dtype == site.output().dtype
    return layer if in_place else replace(layer, overlaps={})
