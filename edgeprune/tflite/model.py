"""A `.tflite` file as plain values.

`read.py` fills these records from the bytes of a file; `ops.py`, the estimators and the code generators
read them. Nothing here knows flatbuffers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError

NUMPY_TYPES: dict[str, str] = {
    "float32": "<f4",
    "float16": "<f2",
    "float64": "<f8",
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "bool": "?",
    "complex64": "<c8",
    "complex128": "<c16",
}
"""TFLite's tensor types that numpy has too, with numpy's little-endian name."""

BITS: dict[str, int] = {name: 8 * np.dtype(code).itemsize for name, code in NUMPY_TYPES.items()} | {
    "int4": 4,
    "uint4": 4,
    "int2": 2,
    "bfloat16": 16,
}
"""Bits of one element; types of no fixed size (string, resource, variant) are left out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        index: its place in the subgraph's list, which is how ops refer to it.
        name: its name, "" where the file keeps none.
        shape: its dimensions; 1 where the file leaves a dimension open.
        shape_signature: as `shape`, with -1 where open; empty where the file says nothing.
        dtype: "int8", "float32" ... as in TFLite's schema, lower case.
        data: the bytes of a constant as a read-only uint8 view into the file, None for all others.
        scales: float32, one per tensor or one per slice of `axis`; empty where not quantized.
        zero_points: int64, as many as `scales`.
        axis: dimension that per-channel scales run along.
        is_variable: whether its value survives from one inference to the next.
        is_sparse: whether `data` is in TFLite's sparse encoding.
        is_outside: whether its value lies behind the flatbuffer, as in files over 2 GB.
        buffer: index of its buffer in the file.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...] = ()
    dtype: str
    data: NDArray[np.uint8] | None = None
    scales: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    zero_points: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    axis: int = 0
    is_variable: bool = False
    is_sparse: bool = False
    is_outside: bool = False
    buffer: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether its value is stored in the file."""
        return self.data is not None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size of its value in bytes, packed for 2- and 4-bit types; 0 for types of no fixed size."""
        return (self.elements * BITS.get(self.dtype, 0) + 7) // 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Op:
    """One operator.

    Attributes:
        index: its place in the order of execution.
        name: builtin name, for example "CONV_2D"; "CUSTOM:<its name>" for a custom op.
        version: the op's version that the file asks for.
        inputs: tensor indices; -1 for an optional input that is left out.
        outputs: tensor indices.
        options: the op's options under the schema's own names (`stride_w`, `keep_dims` ...), enums by name
            ("SAME", "RELU6"), vectors as tuples.
        custom_options: a custom op's bytes.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    custom_options: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subgraph:
    """One graph of a model: the main one, or a branch or body that IF, WHILE or CALL_ONCE runs."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    ops: tuple[Op, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A named entry point: argument names with the tensors they stand for."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A whole file. `tensors`, `ops`, `inputs` and `outputs` are those of the main subgraph.

    Attributes:
        where: the file's name, for messages.
        subgraphs: all subgraphs, the main one first.
        signatures: named entry points.
        metadata: content of each metadata entry, by name.
        description: free text.
        size_bytes: size of the file.
    """

    where: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    description: str = ""
    size_bytes: int = 0

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors of the main subgraph."""
        return self.subgraphs[0].tensors

    @property
    def ops(self) -> tuple[Op, ...]:
        """Ops of the main subgraph in the order of execution."""
        return self.subgraphs[0].ops

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Input tensors of the main subgraph."""
        return tuple(self.tensors[index] for index in self.subgraphs[0].inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Output tensors of the main subgraph."""
        return tuple(self.tensors[index] for index in self.subgraphs[0].outputs)

    @property
    def is_stateful(self) -> bool:
        """Whether one inference can change the next: variables or resources."""
        return self.has_resources or any(
            tensor.is_variable for subgraph in self.subgraphs for tensor in subgraph.tensors
        )

    @property
    def has_resources(self) -> bool:
        """Whether it keeps values in resource variables, which LiteRT does not reset."""
        return any(tensor.dtype == "resource" for subgraph in self.subgraphs for tensor in subgraph.tensors)

    @property
    def batch(self) -> int:
        """Samples that one inference takes; 0 where the first dimension of inputs and outputs is no batch."""
        first = {tensor.shape[:1] for tensor in (*self.inputs, *self.outputs)}
        sizes = first.pop() if len(first) == 1 else ()
        return sizes[0] if sizes else 0


def constant_values(tensor: Tensor, *, where: str = "") -> NDArray[Any]:
    """A constant's values in its own shape and dtype; int4 and int2 are unpacked to int8, uint4 to uint8.

    Args:
        tensor: a constant of a type of fixed size, in the dense encoding.
        where: the file's name, for messages.

    Raises:
        ModelError: the tensor is no constant, is sparse, or its bytes do not fill its shape.
    """
    place = f"{where}: tensor {tensor.index} '{tensor.name}'" if where else f"tensor {tensor.index}"
    if tensor.data is None:
        raise ModelError("is not a constant", where=place)
    if tensor.is_sparse:
        raise ModelError("is stored in TFLite's sparse encoding", where=place)
    if tensor.data.size != tensor.bytes:
        raise ModelError(f"holds {tensor.data.size} bytes, its shape needs {tensor.bytes}", where=place)
    if tensor.dtype in NUMPY_TYPES:
        return tensor.data.view(NUMPY_TYPES[tensor.dtype]).reshape(tensor.shape)
    bits = BITS.get(tensor.dtype, 0)
    if bits not in (2, 4):
        raise ModelError(f"is of type {tensor.dtype}, which numpy does not have", where=place)
    # TFLite packs the first element into the lowest bits of a byte.
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    unpacked = (tensor.data[:, None] >> shifts & ((1 << bits) - 1)).reshape(-1)[: tensor.elements]
    if tensor.dtype.startswith("u"):
        return unpacked.reshape(tensor.shape)
    sign = 1 << (bits - 1)
    return ((unpacked.astype(np.int8) ^ sign) - sign).astype(np.int8).reshape(tensor.shape)
