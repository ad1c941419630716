"""Single ops in others: one function an op, registered under its name."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgeprune.tflite.model import Op, Subgraph, constant_values
from edgeprune.tflite.rewriting.draft import Draft
from edgeprune.tflite.schema import load_schema

Expansion = Callable[[Draft, Op, Subgraph], bool]
_JOINED_AT_MOST = 10
"""Inputs of a CONCATENATION that TFLM takes."""
_ERFC = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
_ERFC_RATE = 0.3275911
"""erfc(z) = (a1 t + … + a5 t^5) exp(-z^2) with t = 1 / (1 + 0.3275911 z), within 1.5e-7 for z ≥ 0.

(Abramowitz and Stegun 1964, 7.1.26; the highest power first.)
"""


def expand_cast(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """CAST of bytes to floats: DEQUANTIZE in steps of 1, or nothing where all readers quantize again."""
    source, made = op.inputs[0], op.outputs[0]
    types = graph.tensors[source].dtype, graph.tensors[made].dtype
    if types != ("uint8", "float32") or graph.tensors[source].scales.size:
        return False
    draft.quantize(source, scale=1.0, zero_point=0)
    readers = [reader for reader in graph.ops if made in reader.inputs]
    again = all(
        reader.name == "QUANTIZE" and graph.tensors[reader.outputs[0]].dtype == "int8" for reader in readers
    )
    if readers and again and made not in graph.outputs:
        draft.reroute(made, source)
    else:
        draft.op("DEQUANTIZE", [source], made, load_schema().DequantizeOptionsT())
    return True


def expand_gelu(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """GELU of floats: x LOGISTIC(2u), which is the same as with TANH; else RELU(x) - |x| erfc / 2."""
    if graph.tensors[op.inputs[0]].dtype != "float32":
        return False
    write = _Floats(draft, graph, result=op.outputs[0])
    x = op.inputs[0]
    if op.options.get("approximate"):
        root = 2.0 * math.sqrt(2.0 / math.pi)
        cubic = write("ADD", write("MUL", write("MUL", x, x), 0.044715 * root), root)
        write("MUL", x, write("LOGISTIC", write("MUL", cubic, x)), last=True)
        return True
    size = write("ABS", x)
    t = write("DIV", 1.0, write("ADD", write("MUL", size, _ERFC_RATE / math.sqrt(2.0)), 1.0))
    series = write("MUL", t, _ERFC[0])
    for factor in _ERFC[1:]:
        series = write("MUL", write("ADD", series, factor), t)
    tail = write("MUL", series, write("EXP", write("MUL", write("MUL", x, x), -0.5)))
    below = write("MUL", write("MUL", tail, 0.5), size)
    write("SUB", write("RELU", x), below, last=True)
    return True


def expand_sign(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """SIGN of floats: what is above zero less what is below."""
    tensor = graph.tensors[op.inputs[0]]
    if tensor.dtype != "float32":
        return False
    schema, write = load_schema(), _Floats(draft, graph, result=op.outputs[0])
    sides = []
    for name in ("GREATER", "LESS"):
        kind = getattr(schema, f"{name.title()}OptionsT")
        true = draft.tensor(tensor.shape, "bool", near=op.outputs[0])
        draft.op(name, [op.inputs[0], write.constant(0.0)], true, kind())
        cast = schema.CastOptionsT()
        cast.inDataType, cast.outDataType = schema.TensorType.BOOL, schema.TensorType.FLOAT32
        sides.append(draft.op("CAST", [true], write.tensor(), cast))
    write("SUB", *sides, last=True)
    return True


def expand_select(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """SELECT whose three inputs have one shape: SELECT_V2."""
    if len({graph.tensors[index].shape for index in (*op.inputs, *op.outputs)}) != 1:
        return False
    draft.op("SELECT_V2", op.inputs, op.outputs[0], load_schema().SelectV2OptionsT())
    return True


def expand_reduce_any(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """REDUCE_ANY: not all are not."""
    schema, (x, axes), made = load_schema(), op.inputs, op.outputs[0]
    options = schema.ReducerOptionsT()
    options.keepDims = bool(op.options.get("keep_dims"))
    turned = draft.tensor(graph.tensors[x].shape, "bool", near=made)
    draft.op("LOGICAL_NOT", [x], turned, schema.LogicalNotOptionsT())
    none = draft.op(
        "REDUCE_ALL", [turned, axes], draft.tensor(graph.tensors[made].shape, "bool", near=made), options
    )
    draft.op("LOGICAL_NOT", [none], made, schema.LogicalNotOptionsT())
    return True


def expand_tile(draft: Draft, op: Op, graph: Subgraph) -> bool:
    """TILE: so many copies side by side, axis by axis, the last one first, which moves the fewest bytes."""
    x, times = (graph.tensors[index] for index in op.inputs)
    if not times.is_constant or x.dtype not in ("float32", "int8", "int16", "int32", "bool"):
        return False
    multiples = [int(n) for n in constant_values(times).reshape(-1)]
    axes = [axis for axis in reversed(range(len(multiples))) if multiples[axis] != 1]
    if not axes or 0 in multiples:
        return False
    shape, made = list(x.shape), op.inputs[0]
    for axis in axes:
        last = op.outputs[0] if axis == axes[-1] else None
        made = _repeat(draft, made, shape, axis=axis, times=multiples[axis], like=op.outputs[0], last=last)
        shape[axis] *= multiples[axis]
    return True


def _repeat(
    draft: Draft, index: int, shape: Sequence[int], *, axis: int, times: int, like: int, last: int | None
) -> int:
    """Copies of a tensor along an axis, by CONCATENATION of few at a time; `last` is where they go."""
    whole, rest = divmod(times, _JOINED_AT_MOST)
    if times <= _JOINED_AT_MOST:
        return _join(draft, [index] * times, shape, axis=axis, times=times, like=like, last=last)
    many = _join(
        draft, [index] * _JOINED_AT_MOST, shape, axis=axis, times=_JOINED_AT_MOST, like=like, last=None
    )
    wide = [size * _JOINED_AT_MOST if at == axis else size for at, size in enumerate(shape)]
    many = _repeat(draft, many, wide, axis=axis, times=whole, like=like, last=None if rest else last)
    if not rest:
        return many
    return _join(draft, [*[index] * rest, many], shape, axis=axis, times=times, like=like, last=last)


def _join(
    draft: Draft,
    parts: Sequence[int],
    shape: Sequence[int],
    *,
    axis: int,
    times: int,
    like: int,
    last: int | None,
) -> int:
    if len(parts) == 1 and last is None:
        return parts[0]
    schema = load_schema()
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    size = [n * times if at == axis else n for at, n in enumerate(shape)]
    output = draft.tensor(size, draft.dtype_of(like), near=like, scaled_as=like) if last is None else last
    return draft.op("CONCATENATION", parts, output, options)


class _Floats:
    """Writes ops on floats of one shape, and single numbers."""

    def __init__(self, draft: Draft, graph: Subgraph, *, result: int) -> None:
        self._draft, self._result = draft, result
        self._shape = graph.tensors[result].shape
        self._numbers: dict[float, int] = {}

    def __call__(self, name: str, *inputs: int | float, last: bool = False) -> int:
        """Writes one: integers are tensors, floats are constants."""
        read = [self.constant(x) if isinstance(x, float) else x for x in inputs]
        kind = getattr(load_schema(), f"{name.title()}OptionsT", None)
        return self._draft.op(
            name, read, self._result if last else self.tensor(), None if kind is None else kind()
        )

    def tensor(self) -> int:
        return self._draft.tensor(self._shape, "float32", near=self._result)

    def constant(self, value: float) -> int:
        if value not in self._numbers:
            self._numbers[value] = self._draft.constant(np.array([value], np.float32), near=self._result)
        return self._numbers[value]


EXPANSIONS: dict[str, Expansion] = {
    "CAST": expand_cast,
    "GELU": expand_gelu,
    "REDUCE_ANY": expand_reduce_any,
    "SELECT": expand_select,
    "SIGN": expand_sign,
    "TILE": expand_tile,
}
"""Op → what writes others in its place, and says whether it did."""
