"""Ops that only move bytes: PAD, CONCATENATION, TRANSPOSE, STRIDED_SLICE, SPLIT and their kin."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgeprune.firmware.c.broadcast import Loops, fold_loops, name_loops, row_strides
from edgeprune.firmware.c.layer import (
    C_TYPES,
    Constant,
    Layer,
    Site,
    describe,
    emits,
    format_float,
    render,
    zero_point,
)
from edgeprune.tflite.model import BITS

_LONG_RUN = 12
"""Bytes in whole words from which on a call pays on cores that load no word from any address."""
_ELEMENT_BYTES = {name: BITS[name] // 8 for name in C_TYPES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A box of elements that goes from one tensor to another.

    Attributes:
        source, target: places among the op's inputs and outputs.
        shape: the box.
        start, strides: where it lies in the source, in elements.
        target_start, target_strides: where it goes.
    """

    source: int = 0
    target: int = 0
    shape: tuple[int, ...]
    start: int = 0
    strides: tuple[int, ...]
    target_start: int = 0
    target_strides: tuple[int, ...]


@emits("CONCATENATION")
def emit_concatenation(site: Site) -> Layer:
    """Inputs one after the other along one dimension; all have the output's scale."""
    shape = site.output().shape or (1,)
    axis = int(site.op.options["axis"]) % len(shape)
    strides = row_strides(shape)
    moves, start = [], 0
    for place in range(len(site.op.inputs)):
        box = site.input(place).shape or (1,)
        moves.append(
            Move(
                source=place,
                shape=box,
                strides=row_strides(box),
                target_start=start * strides[axis],
                target_strides=strides,
            )
        )
        start += box[axis]
    return emit_moves(site, moves, sources=range(len(site.op.inputs)))


@emits("SPLIT", "SPLIT_V", "UNPACK")
def emit_split(site: Site) -> Layer:
    """Pieces of the input along one dimension."""
    source = 1 if site.op.name == "SPLIT" else 0
    shape = site.input(source).shape
    if site.op.name == "UNPACK":
        axis = int(site.op.options["axis"]) % len(shape)
    else:
        axis = int(site.constant(0 if source else 2).reshape(-1)[0]) % len(shape)
    strides = row_strides(shape)
    moves, start = [], 0
    for place in range(len(site.op.outputs)):
        box = site.output(place).shape
        if site.op.name == "UNPACK":
            box = (*box[:axis], 1, *box[axis:])
        moves.append(
            Move(
                source=source,
                target=place,
                shape=box,
                start=start * strides[axis],
                strides=strides,
                target_strides=row_strides(box),
            )
        )
        start += box[axis]
    return emit_moves(site, moves, sources=[source])


@emits("PACK")
def emit_pack(site: Site) -> Layer:
    """Inputs side by side along a new dimension."""
    shape = site.output().shape
    axis = int(site.op.options["axis"]) % len(shape)
    box = (*shape[:axis], 1, *shape[axis + 1 :])
    moves = [
        Move(
            source=place,
            shape=box,
            strides=row_strides(box),
            target_start=place * row_strides(shape)[axis],
            target_strides=row_strides(shape),
        )
        for place in range(len(site.op.inputs))
    ]
    return emit_moves(site, moves, sources=range(len(site.op.inputs)))


@emits("TRANSPOSE")
def emit_transpose(site: Site) -> Layer:
    """Dimensions in another order."""
    order = [int(axis) for axis in site.constant(1)]
    strides = row_strides(site.input().shape)
    shape = site.output().shape
    move = Move(
        shape=shape, strides=tuple(strides[axis] for axis in order), target_strides=row_strides(shape)
    )
    return emit_moves(site, [move], sources=[0])


@emits("SLICE")
def emit_slice(site: Site) -> Layer:
    """A box of the input."""
    strides = row_strides(site.input().shape)
    shape = site.output().shape
    start = sum(int(at) * step for at, step in zip(site.constant(1).reshape(-1), strides, strict=True))
    move = Move(shape=shape, start=start, strides=strides, target_strides=row_strides(shape))
    return emit_moves(site, [move], sources=[0])


@emits("STRIDED_SLICE")
def emit_strided_slice(site: Site) -> Layer:
    """Every n-th element of a box of the input, forwards or backwards."""
    options = site.op.options
    if options["ellipsis_mask"] or options["new_axis_mask"]:
        raise site.refuse("its slice has an ellipsis or a new axis")
    shape = site.input().shape
    begin, end, step = (site.constant(at).reshape(-1).tolist() for at in (1, 2, 3))
    if len(begin) != len(shape):
        raise site.refuse(f"its slice has {len(begin)} dimensions, its input {len(shape)}")
    box, start = [], 0
    strides = row_strides(shape)
    for axis, size in enumerate(shape):
        bit = 1 << axis
        if options["shrink_axis_mask"] & bit:
            taken = range(begin[axis] % size, begin[axis] % size + 1)
        else:
            first = None if options["begin_mask"] & bit else begin[axis]
            last = None if options["end_mask"] & bit else end[axis]
            taken = range(size)[slice(first, last, step[axis])]
        box.append(len(taken))
        start += taken.start * strides[axis] if len(taken) else 0
    if prod(box) != site.output().elements:
        raise site.refuse(f"its output has not the {prod(box)} elements that it takes")
    steps = tuple(stride * by for stride, by in zip(strides, step, strict=True))
    move = Move(shape=tuple(box), start=start, strides=steps, target_strides=row_strides(box))
    return emit_moves(site, [move], sources=[0])


@emits("PAD", "PADV2")
def emit_pad(site: Site) -> Layer:
    """The input with a margin of zeros, or of a constant."""
    shape, strides = site.output().shape, row_strides(site.output().shape)
    before = site.constant(1).reshape(-1, 2)[:, 0]
    fill: int | str = zero_point(site.output())
    if site.has_input(2):
        number = site.constant(2).reshape(-1)[0]
        fill = format_float(number) if site.output().dtype == "float32" else int(number)
    box = site.input().shape
    move = Move(
        shape=box,
        strides=row_strides(box),
        target_start=sum(int(at) * step for at, step in zip(before, strides, strict=True)),
        target_strides=strides,
    )
    if site.output().dtype == "int8":
        head = f"    (void)memset(output_0, {fill}, {prod(shape)});\n"
    else:
        head = render("copy_fill.c", elements=prod(shape), fill=fill)
    return emit_moves(site, [move], sources=[0], head=head)


def emit_moves(site: Site, moves: Sequence[Move], *, sources: Sequence[int], head: str = "") -> Layer:
    """A function that does these moves, one after the other.

    Args:
        site: the op.
        moves: boxes; together they fill all outputs, if `head` does not.
        sources: places of the inputs that are moved.
        head: C that comes first.
    """
    tensors = [site.input(at) for at in sources] + [site.output(at) for at in range(len(site.op.outputs))]
    for tensor in tensors:
        if tensor.dtype not in _ELEMENT_BYTES:
            raise site.refuse(f"it moves elements of type {tensor.dtype}")
    parameters = [f"const {C_TYPES[site.input(at).dtype]} *input_{at}" for at in sources]
    parameters += [f"{C_TYPES[site.output(at).dtype]} *output_{at}" for at in range(len(site.op.outputs))]
    runs = head + "".join(_render_move(site, move) for move in moves)
    function = render(
        "copy.c",
        name=site.label,
        comment=describe(site),
        parameters=", ".join(parameters),
        runs=runs,
    )
    return Layer(
        function=function,
        inputs=tuple(site.op.inputs[at] for at in sources),
        outputs=site.op.outputs,
        constants=tuple(
            Constant(name=f"operand_{place}", values=site.constant(at).reshape(-1))
            for place, at in enumerate(sources)
            if site.input(at).is_constant
        ),
        kernels=("bytes",) if "copy_bytes" in runs else (),
    )


def _render_move(site: Site, move: Move) -> str:
    loops = Loops(sizes=move.shape, strides=(move.strides, move.target_strides))
    # One more loop than the template has: the innermost is the run, where both sides are contiguous.
    folded = fold_loops(site, loops, to=5)
    run = 1
    if all(strides[-1] == 1 for strides in folded.strides) or folded.sizes[-1] == 1:
        run = folded.sizes[-1]
        folded = Loops(sizes=folded.sizes[:-1], strides=tuple(s[:-1] for s in folded.strides))
    else:
        folded = fold_loops(site, loops, to=4)
    size = _ELEMENT_BYTES[site.output(move.target).dtype]
    places = (run, move.start, move.target_start, *folded.strides[0], *folded.strides[1])
    is_aligned = all(place * size % 4 == 0 for place in places)
    in_bytes = site.instructions == "plain" and not (is_aligned and run * size >= _LONG_RUN)
    return render(
        "copy_run.c",
        copy="copy_bytes" if in_bytes else "(void)memcpy",
        source=f"input_{move.source}",
        target=f"output_{move.target}",
        run=run * size,
        to=move.target_start,
        **{"from": move.start},
        **name_loops(n=folded.sizes, **{"from": folded.strides[0]}, to=folded.strides[1]),
    )
