"""Constants of a file for LiteRT stored without their zeros, in TFLite's own sparse encoding.

A DENSIFY op in front of the reader says that its weights are sparse. To XNNPACK's delegate that op is also
the hint to consider its sparse kernels (`XNN_FLAG_HINT_SPARSE_INFERENCE`): zeros in dense weights are not
looked for. The delegate unpacks the weights once, when the model is loaded; without it LiteRT's own kernel
does so at the first inference. Either way the weights take their dense size in memory.

What is stored for a matrix of (outputs, inputs), which is what the weights of a 1×1 convolution are, too:

    traversal order   axes from the outermost to the innermost; the last one is compressed, the others dense
    segments          for each row, where its values begin, and where the last one ends
    indices           for each value, its place along the compressed axis
    data              the values that are not zero, row after row

Rows are outputs or inputs, whichever takes fewer bytes. Indices and segments are stored in 1, 2 or 4 bytes.

XNNPACK rewrites graphs that it should leave alone, and then computes wrong outputs, so nothing may be stored
so unless `pattern.py` says that the graph has the pattern.

Source: `sparsity_format_converter.cc` and `xnnpack_delegate.cc` of google-ai-edge/LiteRT (August 2026).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.attached import attach, read_attached
from edgeprune.tflite.model import Model, Tensor, constant_values
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import drop_unused_buffers, pack, unpack

OP_NAME = "DENSIFY"
READERS = ("CONV_2D", "FULLY_CONNECTED")
"""Ops whose weights (input 1) can be matrices that XNNPACK's delegate unpacks."""

_INDEX_TYPES = (("Uint8Vector", np.uint8), ("Uint16Vector", np.uint16), ("Int32Vector", np.int32))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SparseMatrix:
    """A matrix without its zeros.

    Attributes:
        order: the axes of the tensor, the compressed one last.
        dense_sizes: sizes of all axes but that, in this order.
        segments: integers, one more than there are rows.
        indices: integers, one for each value.
        values: the values that are not zero.
    """

    order: tuple[int, ...]
    dense_sizes: tuple[int, ...]
    segments: NDArray[Any]
    indices: NDArray[Any]
    values: NDArray[Any]

    @property
    def bytes(self) -> int:
        """What it takes in a file, headers aside."""
        return self.segments.nbytes + self.indices.nbytes + self.values.nbytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseCandidate:
    """Weights that may be stored without their zeros.

    Attributes:
        tensor: index in the main subgraph.
        readers: indices of the ops that read it.
        zeros: how many of its elements are zero.
        dense_bytes, sparse_bytes: what it takes as it is, and without its zeros.
        obstacle: why it cannot be, as a clause; "" where it can.
    """

    tensor: int
    readers: tuple[int, ...]
    zeros: int = 0
    dense_bytes: int
    sparse_bytes: int | None = None
    obstacle: str = ""


def find_sparse_candidates(model: Model) -> list[SparseCandidate]:
    """Weights of convolutions and FULLY_CONNECTED ops, with what keeps them as they are."""
    readers: dict[int, list[tuple[int, int]]] = {}
    for op in model.ops:
        for position, index in enumerate(op.inputs):
            readers.setdefault(index, []).append((op.index, position))
    found = []
    for tensor in model.tensors:
        places = readers.get(tensor.index, [])
        if tensor.is_constant and any(_reads_matrix(model, *place) for place in places):
            found.append(_examine(model, tensor, places))
    return found


def compress_matrix(values: NDArray[Any]) -> SparseMatrix:
    """A tensor of (outputs, ..., inputs) without its zeros; it is compressed along outputs or inputs.

    Args:
        values: all axes between the first and the last one are of size 1.
    """
    axes = tuple(range(values.ndim))
    return min((_compress(values, order) for order in (axes, axes[::-1])), key=lambda made: made.bytes)


def encode_sparsity(tflite: bytes, *, tensors: Collection[int]) -> bytes:
    """The file with these weights stored without their zeros.

    With dense kernels it computes the same in LiteRT, bit for bit; sparse ones add in another order.

    What an op reads keeps its index, name and shape; what is stored goes into new tensors behind all others.

    Args:
        tflite: a whole file.
        tensors: indices in the main subgraph.

    Raises:
        ModelError: the file is damaged, or a tensor cannot be stored so; `why` says why.
    """
    if not tensors:
        return tflite
    model = read_model(tflite, where="the model")
    candidates = {candidate.tensor: candidate for candidate in find_sparse_candidates(model)}
    for index in tensors:
        candidate = candidates.get(index)
        why = (
            "no convolution or FULLY_CONNECTED reads it as weights"
            if candidate is None
            else candidate.obstacle
        )
        if why:
            raise ModelError(
                "cannot be stored without its zeros", where=f"{model.where}: tensor {index}", why=why
            )
    made = {index: compress_matrix(_values(model, model.tensors[index])) for index in sorted(tensors)}
    packed = unpack(tflite, where=model.where)
    _insert(packed, made)
    drop_unused_buffers(packed)
    return attach(pack(packed), read_attached(tflite, model))


def _reads_matrix(model: Model, op: int, position: int) -> bool:
    return position == 1 and model.ops[op].name in READERS


def _examine(model: Model, tensor: Tensor, places: list[tuple[int, int]]) -> SparseCandidate:
    candidate = SparseCandidate(
        tensor=tensor.index,
        readers=tuple(sorted({op for op, _ in places})),
        dense_bytes=tensor.bytes,
        obstacle=_find_obstacle(model, tensor, places),
    )
    if candidate.obstacle:
        return candidate
    values = _values(model, tensor)
    return SparseCandidate(
        tensor=candidate.tensor,
        readers=candidate.readers,
        zeros=int(np.count_nonzero(values == 0)),
        dense_bytes=candidate.dense_bytes,
        sparse_bytes=compress_matrix(values).bytes,
    )


def _find_obstacle(model: Model, tensor: Tensor, places: list[tuple[int, int]]) -> str:
    if tensor.is_sparse:
        return "it is stored without its zeros already"
    if tensor.dtype != "float32":
        return f"it is {tensor.dtype}; XNNPACK has sparse kernels for floats alone"
    if len(tensor.shape) not in (2, 4) or any(size != 1 for size in tensor.shape[1:-1]):
        return "its kernel is larger than 1×1"
    for op, position in places:
        if not _reads_matrix(model, op, position):
            return f"{model.ops[op].name} {op} reads it, too"
    if tensor.index in model.subgraphs[0].outputs:
        return "it is an output of the model"
    if any(
        t.buffer == tensor.buffer for graph in model.subgraphs[1:] for t in graph.tensors if t.is_constant
    ):
        return "a subgraph shares it"
    return ""


def _values(model: Model, tensor: Tensor) -> NDArray[Any]:
    return constant_values(tensor, where=model.where)


def _compress(values: NDArray[Any], order: tuple[int, ...]) -> SparseMatrix:
    turned = values.transpose(order)
    rows = turned.reshape(-1, turned.shape[-1])
    # A negative zero counts as a zero: no sum that a product is added to tells them apart.
    kept = rows != 0
    ends = np.cumsum(np.count_nonzero(kept, axis=1))
    return SparseMatrix(
        order=order,
        dense_sizes=turned.shape[:-1],
        segments=_shrink(np.concatenate([[0], ends])),
        indices=_shrink(np.nonzero(kept)[1]),
        values=rows[kept],
    )


def _shrink(numbers: NDArray[Any]) -> NDArray[Any]:
    """The numbers in the smallest type that TFLite has for them."""
    largest = int(numbers.max(initial=0))
    return numbers.astype(next(kind for _, kind in _INDEX_TYPES if largest <= np.iinfo(kind).max))


def _insert(packed: Any, made: dict[int, SparseMatrix]) -> None:
    """Put DENSIFY ops into the schema's `ModelT`, each in front of the first op that reads its tensor."""
    schema, graph = load_schema(), packed.subgraphs[0]
    stored = {index: _add_tensor(packed, index, matrix) for index, matrix in made.items()}
    for index in made:
        graph.tensors[index].buffer = 0
    code = _add_code(packed)
    operators, waiting = [], dict(stored)
    for operator in graph.operators:
        for index in (int(i) for i in operator.inputs if int(i) in waiting):
            densify = schema.OperatorT()
            densify.opcodeIndex = code
            densify.inputs = np.array([waiting.pop(index)], np.int32)
            densify.outputs = np.array([index], np.int32)
            densify.builtinOptionsType = schema.BuiltinOptions.DensifyOptions
            densify.builtinOptions = schema.DensifyOptionsT()
            operators.append(densify)
        operators.append(operator)
    graph.operators = operators


def _add_tensor(packed: Any, like: int, matrix: SparseMatrix) -> int:
    """Index of a new constant in the sparse encoding, of the shape and type of another tensor."""
    schema, graph = load_schema(), packed.subgraphs[0]
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.ascontiguousarray(matrix.values).view(np.uint8)
    tensor.shape, tensor.type = graph.tensors[like].shape, graph.tensors[like].type
    tensor.buffer, tensor.sparsity = len(packed.buffers), _pack_sparsity(matrix)
    packed.buffers.append(buffer)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _pack_sparsity(matrix: SparseMatrix) -> Any:
    schema = load_schema()
    sparsity, dimensions = schema.SparsityParametersT(), []
    for size in matrix.dense_sizes:
        dimensions.append(schema.DimensionMetadataT())
        dimensions[-1].format, dimensions[-1].denseSize = schema.DimensionType.DENSE, size
    last = schema.DimensionMetadataT()
    last.format = schema.DimensionType.SPARSE_CSR
    last.arraySegmentsType, last.arraySegments = _pack_integers(matrix.segments)
    last.arrayIndicesType, last.arrayIndices = _pack_integers(matrix.indices)
    sparsity.traversalOrder = np.array(matrix.order, np.int32)
    sparsity.dimMetadata = [*dimensions, last]
    return sparsity


def _pack_integers(numbers: NDArray[Any]) -> tuple[int, Any]:
    schema = load_schema()
    name = next(name for name, kind in _INDEX_TYPES if numbers.dtype == kind)
    vector = getattr(schema, f"{name}T")()
    vector.values = numbers
    return getattr(schema.SparseIndexVector, name), vector


def _add_code(packed: Any) -> int:
    """Index of DENSIFY's operator code, which is added."""
    schema = load_schema()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DENSIFY
    code.version = 1
    packed.operatorCodes.append(code)
    return len(packed.operatorCodes) - 1
