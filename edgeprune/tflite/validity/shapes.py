"""Shapes that ops make of their inputs.

A kernel's loops go by some of its tensors' shapes, and pass over others by strides: where the two do not go
together, it reads and writes what is not its own.
"""

from collections.abc import Callable, Iterable, Iterator
from math import prod

import numpy as np

from edgeprune.tflite.model import Subgraph, Tensor, constant_values
from edgeprune.tflite.validity.placed import PlacedOp, has_known_shape, name_tensor

Shape = tuple[int, ...]
Law = Callable[[PlacedOp], Iterable[tuple[Tensor, Shape]]]
"""Tensors of an op, with the shape that each has to have; nothing where that is not known from the file."""

_MOST_NUMBERS = 64
"""In a tensor of axes, sizes or margins; no kernel has so many dimensions."""


class _ImpossibleError(Exception):
    """An op's inputs and options do not go together; its message says why."""


def require_shapes(subgraph: Subgraph, *, where: str, are_final: bool = False) -> None:
    """Raises ModelError for an op whose outputs are not of the shape that it makes of its inputs.

    Args:
        subgraph: of a file.
        where: the file and subgraph, for messages.
        are_final: whether dimensions that are open in the file are what its shapes say, as for kernels that
            are compiled for these; otherwise they are not judged.
    """
    for op in subgraph.ops:
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        law = LAWS.get(op.name)
        tensors = (*placed.inputs, *placed.outputs)
        if law is None or not (are_final or all(_is_known(tensor) for tensor in tensors)):
            continue
        of = " and ".join(str(tensor.shape) for tensor in placed.inputs[:2])
        try:
            for tensor, shape in law(placed):
                if not _is_alike(tensor.shape, shape, by_elements=op.name in _BY_ELEMENTS):
                    raise placed.refuse(
                        f"has {name_tensor(tensor)} of the shape {tensor.shape}",
                        why=f"with inputs of {of} it would be {shape}",
                    )
        except _ImpossibleError as error:
            raise placed.refuse(f"cannot work with inputs of {of}", why=str(error)) from error


def _is_known(tensor: Tensor) -> bool:
    return tensor.is_constant or (has_known_shape(tensor) and -1 not in tensor.shape_signature)


def _is_alike(shape: Shape, wanted: Shape, *, by_elements: bool) -> bool:
    """Whether a kernel that is made for one goes through the other alike."""
    return prod(shape) == prod(wanted) if by_elements else shape == wanted


def _make(placed: PlacedOp, *shapes: Shape) -> Iterator[tuple[Tensor, Shape]]:
    """The outputs, with the shapes that they have to have."""
    if len(placed.outputs) != len(shapes):
        raise _ImpossibleError(f"it has {len(placed.outputs)} outputs, and makes {len(shapes)}")
    yield from zip(placed.outputs, shapes, strict=True)


def _take(placed: PlacedOp, position: int) -> Tensor:
    tensor = placed.input(position)
    if tensor is None:
        raise _ImpossibleError(f"input {position} is missing")
    return tensor


def _read(placed: PlacedOp, position: int) -> list[int] | None:
    """The integers of a small constant; None where the model computes them."""
    tensor = _take(placed, position)
    if not tensor.is_constant or tensor.is_sparse:
        return None
    if tensor.dtype not in ("int8", "int16", "int32", "int64"):
        raise _ImpossibleError(f"{name_tensor(tensor)} is {tensor.dtype}, where integers are needed")
    if tensor.elements > _MOST_NUMBERS:
        raise _ImpossibleError(f"{name_tensor(tensor)} holds {tensor.elements} numbers")
    return [int(each) for each in constant_values(tensor, where=placed.where).reshape(-1)]


def _place_axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise _ImpossibleError(f"there is no dimension {axis} of {rank}")
    return axis % rank


def _same(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    """Each element by itself, or the same elements under another shape."""
    return _make(placed, _take(placed, 0).shape)


def _broadcast(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    count = 3 if placed.op.name == "SELECT_V2" else 2
    if len(placed.op.inputs) != count:
        raise _ImpossibleError(f"it has {len(placed.op.inputs)} inputs, and takes {count}")
    try:
        shape = np.broadcast_shapes(*(_take(placed, position).shape for position in range(count)))
    except ValueError as error:
        raise _ImpossibleError("neither can be repeated to fill the other") from error
    return _make(placed, shape)


def _concatenation(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    first = _take(placed, 0).shape
    axis = _place_axis(placed.op.options.get("axis", 0), len(first))
    rests = {(tensor.shape[:axis], tensor.shape[axis + 1 :]) for tensor in placed.inputs}
    if len(rests) > 1:
        raise _ImpossibleError(f"they differ in more than dimension {axis}")
    length = sum(tensor.shape[axis] for tensor in placed.inputs)
    return _make(placed, (*first[:axis], length, *first[axis + 1 :]))


def _split(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    whole, axes = (1, 0) if placed.op.name == "SPLIT" else (0, 2)
    shape, numbers = _take(placed, whole).shape, _read(placed, axes)
    if numbers is None:
        return ()
    if len(numbers) != 1:
        raise _ImpossibleError(f"it has {len(numbers)} axes")
    axis = _place_axis(numbers[0], len(shape))
    if any(len(tensor.shape) != len(shape) for tensor in placed.outputs):
        raise _ImpossibleError("its pieces have other dimensions")
    lengths = [tensor.shape[axis] for tensor in placed.outputs]
    if sum(lengths) != shape[axis]:
        raise _ImpossibleError(f"pieces of {lengths} are not the {shape[axis]} of dimension {axis}")
    return _make(placed, *((*shape[:axis], length, *shape[axis + 1 :]) for length in lengths))


def _unpack(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    shape = _take(placed, 0).shape
    axis = _place_axis(placed.op.options.get("axis", 0), len(shape))
    if len(placed.outputs) != shape[axis]:
        raise _ImpossibleError(f"{len(placed.outputs)} pieces are not the {shape[axis]} of dimension {axis}")
    return _make(placed, *[(*shape[:axis], *shape[axis + 1 :])] * shape[axis])


def _pack(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    shape = _take(placed, 0).shape
    if len({tensor.shape for tensor in placed.inputs}) > 1:
        raise _ImpossibleError("they differ")
    axis = _place_axis(placed.op.options.get("axis", 0), len(shape) + 1)
    return _make(placed, (*shape[:axis], len(placed.inputs), *shape[axis:]))


def _transpose(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, order = _take(placed, 0).shape, _read(placed, 1)
    if order is None:
        return ()
    if sorted(_place_axis(axis, len(shape)) for axis in order) != list(range(len(shape))):
        raise _ImpossibleError(f"{order} is no order of {len(shape)} dimensions")
    return _make(placed, tuple(shape[axis] for axis in order))


def _slice(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, begin, size = _take(placed, 0).shape, _read(placed, 1), _read(placed, 2)
    if begin is None:
        return ()
    if size is None:
        size = [many for tensor in placed.outputs[:1] for many in tensor.shape]
    if not len(begin) == len(size) == len(shape):
        raise _ImpossibleError(f"the slice has {len(begin)} and {len(size)} dimensions")
    taken = [whole - at if many == -1 else many for whole, at, many in zip(shape, begin, size, strict=True)]
    for whole, at, many in zip(shape, begin, taken, strict=True):
        if at < 0 or many < 0 or at + many > whole:
            raise _ImpossibleError(f"there are no {many} from {at} on among {whole}")
    return _make(placed, tuple(taken))


def _strided_slice(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, options = _take(placed, 0).shape, placed.op.options
    begin, end, step = (_read(placed, position) for position in (1, 2, 3))
    if begin is None or end is None or step is None:
        return ()
    if options.get("ellipsis_mask") or options.get("new_axis_mask") or options.get("offset"):
        return ()
    if not len(begin) == len(end) == len(step):
        raise _ImpossibleError("the slice has a begin, an end and a step of different lengths")
    if 0 in step:
        raise _ImpossibleError("the slice has a step of 0")
    if len(begin) > len(shape):
        raise _ImpossibleError(f"the slice has {len(begin)} dimensions")
    taken = list(shape)
    for axis, size in enumerate(shape[: len(begin)]):
        bit = 1 << axis
        if options.get("shrink_axis_mask", 0) & bit:
            _place_axis(0 if options.get("begin_mask", 0) & bit else begin[axis], size)
            taken[axis] = 1
        else:
            first = None if options.get("begin_mask", 0) & bit else begin[axis]
            last = None if options.get("end_mask", 0) & bit else end[axis]
            taken[axis] = len(range(size)[slice(first, last, step[axis])])
    return _make(placed, tuple(taken))


def _pad(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, margins = _take(placed, 0).shape, _read(placed, 1)
    if margins is None:
        return ()
    if len(margins) != 2 * len(shape) or min(margins, default=0) < 0:
        raise _ImpossibleError(f"{margins} are no margins of {len(shape)} dimensions")
    sides = zip(margins[::2], shape, margins[1::2], strict=True)
    return _make(placed, tuple(sum(side) for side in sides))


def _reduce(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, axes = _take(placed, 0).shape, _read(placed, 1)
    if axes is None:
        return ()
    gone = {_place_axis(axis, len(shape)) for axis in axes}
    return _make(placed, tuple(size for axis, size in enumerate(shape) if axis not in gone))


def _resize(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, size = _take(placed, 0).shape, _read(placed, 1)
    if size is None:
        size = [many for tensor in placed.outputs[:1] for many in tensor.shape[1:3]]
    if len(shape) != 4 or len(size) != 2 or min(size) < 1:
        raise _ImpossibleError(f"an image of 4 dimensions has no size of {size}")
    return _make(placed, (shape[0], *size, shape[3]))


def _batch_matmul(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    left, right = _take(placed, 0).shape, _take(placed, 1).shape
    if min(len(left), len(right)) < 2:
        raise _ImpossibleError("a matrix has two dimensions")
    (*left_batch, rows, depth), (*right_batch, height, columns) = left, right
    if placed.op.options.get("adj_x"):
        rows, depth = depth, rows
    if placed.op.options.get("adj_y"):
        height, columns = columns, height
    if depth != height:
        raise _ImpossibleError(f"rows of {depth} are multiplied with columns of {height}")
    try:
        batch = np.broadcast_shapes(tuple(left_batch), tuple(right_batch))
    except ValueError as error:
        raise _ImpossibleError("neither batch can be repeated to fill the other") from error
    return _make(placed, (*batch, rows, columns))


def _svdf(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    source, features, times = (_take(placed, position) for position in range(3))
    rank = placed.op.options.get("rank", 0)
    if not len(source.shape) == len(features.shape) == len(times.shape) == 2:
        raise _ImpossibleError("inputs and weights have two dimensions each")
    (batches, inputs), (filters, _), memory = source.shape, features.shape, times.shape[1]
    if rank < 1 or filters % rank:
        raise _ImpossibleError(f"{filters} filters have no rank of {rank}")
    yield features, (filters, inputs)
    yield times, (filters, memory)
    if (bias := placed.input(3)) is not None:
        yield bias, (filters // rank,)
    yield _take(placed, 4), (batches, memory * filters)
    yield from _make(placed, (batches, filters // rank))


def _lstm(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    source, forget = _take(placed, 0), _take(placed, 2)
    if len(source.shape) != 3 or len(forget.shape) != 2:
        raise _ImpossibleError("the input has three dimensions, and weights have two")
    units, inputs = forget.shape[0], source.shape[2]
    batches = source.shape[1 if placed.op.options.get("time_major") else 0]
    projection, hidden = placed.input(16), _take(placed, 18)
    shown = units if projection is None or not projection.shape else projection.shape[0]
    wanted = {
        **dict.fromkeys(range(1, 5), (units, inputs)),
        **dict.fromkeys(range(5, 9), (units, shown)),
        **dict.fromkeys((*range(9, 12), *range(12, 16), *range(20, 24)), (units,)),
    }
    for position, shape in wanted.items():
        if (tensor := placed.input(position)) is not None:
            yield tensor, shape
    yield hidden, (batches, shown)
    yield _take(placed, 19), (batches, units)
    yield from _make(placed, (*source.shape[:2], shown))


def _blocks(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    shape, block = _take(placed, 0).shape, placed.op.options.get("block_size", 0)
    if len(shape) != 4 or block < 1:
        raise _ImpossibleError(f"an image of 4 dimensions has no blocks of {block}")
    batches, height, width, channels = shape
    whole = (channels,) if placed.op.name == "DEPTH_TO_SPACE" else (height, width)
    unit = block * block if placed.op.name == "DEPTH_TO_SPACE" else block
    if any(size % unit for size in whole):
        raise _ImpossibleError(f"{whole} are no multiples of {unit}")
    if placed.op.name == "DEPTH_TO_SPACE":
        return _make(placed, (batches, height * block, width * block, channels // unit))
    return _make(placed, (batches, height // block, width // block, channels * block * block))


def _batches(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, blocks, margins = _take(placed, 0).shape, _read(placed, 1), _read(placed, 2)
    if blocks is None or margins is None:
        return ()
    if not 3 <= len(shape) <= 4 or len(blocks) != len(shape) - 2 or len(margins) != 2 * len(blocks):
        raise _ImpossibleError(f"{len(blocks)} blocks and {len(margins)} margins do not go with the image")
    if min(blocks) < 1 or min(margins) < 0:
        raise _ImpossibleError(f"there are no blocks of {blocks} with margins of {margins}")
    sides = list(zip(shape[1:-1], blocks, margins[::2], margins[1::2], strict=True))
    if placed.op.name == "SPACE_TO_BATCH_ND":
        if any((size + before + after) % block for size, block, before, after in sides):
            raise _ImpossibleError(f"with margins of {margins} they are no multiples of {blocks}")
        spatial = [(size + before + after) // block for size, block, before, after in sides]
        return _make(placed, (shape[0] * prod(blocks), *spatial, shape[-1]))
    if shape[0] % prod(blocks) or any(b + a > size * block for size, block, b, a in sides):
        raise _ImpossibleError(f"there are no blocks of {blocks} with margins of {margins}")
    spatial = [size * block - before - after for size, block, before, after in sides]
    return _make(placed, (shape[0] // prod(blocks), *spatial, shape[-1]))


def _broadcast_to(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, wanted = _take(placed, 0).shape, _read(placed, 1)
    if wanted is None:
        return ()
    padded = (1,) * (len(wanted) - len(shape)) + shape
    if len(shape) > len(wanted) or any(
        size not in (1, many) for size, many in zip(padded, wanted, strict=True)
    ):
        raise _ImpossibleError(f"it cannot be repeated to fill {wanted}")
    return _make(placed, tuple(wanted))


def _tile(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, times = _take(placed, 0).shape, _read(placed, 1)
    if times is None:
        return ()
    if len(times) != len(shape) or min(times, default=1) < 1:
        raise _ImpossibleError(f"it cannot be repeated {times} times")
    return _make(placed, tuple(size * many for size, many in zip(shape, times, strict=True)))


def _gather(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, places, options = _take(placed, 0).shape, _take(placed, 1), placed.op.options
    axis = _place_axis(options.get("axis", 0), len(shape))
    shared = options.get("batch_dims", 0)
    shared += len(places.shape) if shared < 0 else 0
    if not 0 <= shared <= min(axis, len(places.shape)) or shape[:shared] != places.shape[:shared]:
        raise _ImpossibleError(f"they do not share {shared} dimensions")
    _require_places(placed, places, size=shape[axis])
    return _make(placed, (*shape[:axis], *places.shape[shared:], *shape[axis + 1 :]))


def _embedding(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    places, table = _take(placed, 0), _take(placed, 1).shape
    if len(table) < 2 or len(places.shape) != 1:
        raise _ImpossibleError("a table has rows, and places stand in one row")
    _require_places(placed, places, size=table[0])
    return _make(placed, (places.shape[0], *table[1:]))


def _require_places(placed: PlacedOp, places: Tensor, *, size: int) -> None:
    if not places.is_constant or places.is_sparse or places.dtype != "int32":
        return
    values = constant_values(places, where=placed.where)
    if values.size and not 0 <= values.min() <= values.max() < size:
        raise _ImpossibleError(f"{name_tensor(places)} names places beyond the {size} that there are")


def _arg(placed: PlacedOp) -> Iterable[tuple[Tensor, Shape]]:
    shape, axes = _take(placed, 0).shape, _read(placed, 1)
    if axes is None:
        return ()
    if len(axes) != 1:
        raise _ImpossibleError(f"it has {len(axes)} axes")
    axis = _place_axis(axes[0], len(shape))
    return _make(placed, (*shape[:axis], *shape[axis + 1 :]))


def _fill(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    dims = _read(placed, 0)
    yield _take(placed, 1), ()
    if dims is not None:
        yield from _make(placed, tuple(dims))


def _add_n(placed: PlacedOp) -> Iterator[tuple[Tensor, Shape]]:
    shape = _take(placed, 0).shape
    if any(tensor.shape != shape for tensor in placed.inputs):
        raise _ImpossibleError("they differ")
    return _make(placed, shape)


_ELEMENTWISE = (
    *("ABS", "CAST", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG"),
    *("LOGICAL_NOT", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT"),
    *("SIGN", "SIN", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE", "QUANTIZE", "DEQUANTIZE"),
    *("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION", "CUMSUM", "REVERSE_V2"),
    *("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
)
_OF_TWO = (
    *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD"),
    *("POW", "PRELU", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"),
    *("LOGICAL_AND", "LOGICAL_OR", "SELECT_V2"),
)
_REDUCING = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_PROD")
_BY_ELEMENTS = frozenset({*_ELEMENTWISE, *_REDUCING, "STRIDED_SLICE", "ARG_MAX", "ARG_MIN", "FILL"})
"""Ops whose kernels go through the output as one row, whatever its dimensions."""

LAWS: dict[str, Law] = {
    **dict.fromkeys(_ELEMENTWISE, _same),
    **dict.fromkeys(_OF_TWO, _broadcast),
    **dict.fromkeys(_REDUCING, _reduce),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _blocks),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), _batches),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _arg),
    "BROADCAST_TO": _broadcast_to,
    "TILE": _tile,
    "GATHER": _gather,
    "EMBEDDING_LOOKUP": _embedding,
    "ADD_N": _add_n,
    "FILL": _fill,
    "CONCATENATION": _concatenation,
    "UNPACK": _unpack,
    "PACK": _pack,
    "TRANSPOSE": _transpose,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "BATCH_MATMUL": _batch_matmul,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
"""Op → its law. `validity/kernels.py` has those of convolutions, pools and dense layers."""
