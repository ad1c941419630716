"""A smaller `.tflite` file that computes the same: everything no runtime reads is left out.

What goes: names, descriptions, calibration ranges, signatures, metadata with its attached files, debug
information, buffers and operator versions nothing refers to. What is equal is stored once: constants, scales,
zero points, shapes. Tensors and ops keep their places, so indices into the file stay valid. Versions of the
ops that are used stay: LiteRT and its delegates choose by them, or refuse what they are too old for.
"""

import hashlib
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.attached import attach, read_attached
from edgeprune.tflite.model import Model, Subgraph, Tensor
from edgeprune.tflite.read import FILE_IDENTIFIER, MALFORMED, read_model
from edgeprune.tflite.schema import load_schema

RUNTIME_METADATA = frozenset(
    {
        "OfflineMemoryAllocation",  # TFLM: a memory plan made on the host, also by Vela
        "COMPRESSION_METADATA",  # TFLM: how compressed tensors are decoded
        "model_control_dependencies",  # LiteRT: an order of execution beyond the data flow
        "reduced_precision_support",  # LiteRT: whether float16 arithmetic is allowed
    }
)
"""Metadata that changes what a runtime does; everything else is for people and tools."""

BUFFER_ALIGNMENT_BYTES = 16  # `force_align: 16` of Buffer.data in the schema; kernels load weights as vectors


def strip(data: bytes, *, keep_interface: bool = False, where: str = "the model") -> bytes:
    """The file without what no runtime reads; the same outputs, bit for bit. Stripping twice changes nothing.

    Args:
        data: a whole `.tflite` file.
        keep_interface: keep what an application may address the model by: signatures, the names of the main
            graph's inputs and outputs, all metadata, and the files attached to it (labels, for example).
        where: the file's name, for messages.

    Raises:
        ModelError: the file is damaged or keeps weights outside the flatbuffer.
    """
    before = read_model(data, where=where)
    packed = unpack(data, where=where)
    if packed.externalBuffers or packed.externalBufferGroups:
        raise ModelError(
            "keeps weights in other files", where=before.where, fix="convert it again into one file"
        )
    files = read_attached(data, before) if keep_interface else {}
    _drop_text(packed, keep_interface)
    _drop_metadata(packed, keep_interface)
    drop_unused_buffers(packed)
    _drop_unused_operator_codes(packed)
    stripped = pack(packed)
    _require_same_network(before, read_model(stripped, where="the stripped model"))
    return attach(stripped, files)


def unpack(data: bytes, *, where: str) -> Any:
    """The schema's `ModelT` of a file that `read_model` has accepted.

    Raises:
        ModelError: a part of the file that `read_model` does not look at is damaged.
    """
    try:
        return load_schema().ModelT.InitFromObj(load_schema().Model.GetRootAs(data, 0))
    except MALFORMED as error:
        raise ModelError("is damaged", where=where, why=str(error) or type(error).__name__) from error


def pack(model: Any) -> bytes:
    """A file from the schema's `ModelT`, with constants aligned and equal vectors stored once."""
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc] # flatbuffers has no types
    """A builder that writes equal vectors once and aligns bytes as TFLite's buffers need it."""

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self.head: int
        self._written: dict[tuple[str, int, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 (the name is flatbuffers')
        content = np.ascontiguousarray(x).view(np.uint8) if x.size else np.empty(0, np.uint8)
        key = (x.dtype.str, x.size, hashlib.sha256(content.tobytes()).digest())
        if key not in self._written:
            alignment = BUFFER_ALIGNMENT_BYTES if x.dtype == np.uint8 else max(4, x.dtype.itemsize)
            self.StartVector(x.dtype.itemsize, x.size, alignment)
            self.head = self.head - content.size
            self.Bytes[self.head : self.head + content.size] = content.tobytes()
            self._written[key] = self.EndVector()
        return self._written[key]


def _drop_text(model: Any, keep_interface: bool) -> None:
    model.description = None
    if not keep_interface:
        model.signatureDefs = None
    for place, graph in enumerate(model.subgraphs):
        graph.name = None
        graph.debugMetadataIndex = -1
        named = (
            {*_indices(graph.inputs), *_indices(graph.outputs)} if keep_interface and place == 0 else set()
        )
        for index, tensor in enumerate(graph.tensors or ()):
            if index not in named:
                tensor.name = None
            _drop_ranges(tensor)
        for operator in graph.operators or ():
            if operator.largeCustomOptionsOffset > 1:
                raise ModelError("keeps custom options behind the flatbuffer", where="the model")
            operator.debugMetadataIndex = -1


def _drop_ranges(tensor: Any) -> None:
    quantization = tensor.quantization
    if quantization is None:
        return
    quantization.min = quantization.max = None
    if _is_empty(quantization.scale) and _is_empty(quantization.zeroPoint) and not quantization.detailsType:
        tensor.quantization = None


def _drop_metadata(model: Any, keep_interface: bool) -> None:
    model.metadataBuffer = None
    kept = [
        entry
        for entry in model.metadata or ()
        if keep_interface or (entry.name or b"").decode(errors="replace") in RUNTIME_METADATA
    ]
    model.metadata = kept or None


def drop_unused_buffers(model: Any) -> None:
    """Number the buffers anew; everything empty becomes buffer 0, which TFLite defines as the empty one."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors or ()]
    kept = [load_schema().BufferT()]
    numbers: dict[int, int] = {}
    for user in [*tensors, *(model.metadata or ())]:
        if user.buffer not in numbers:
            buffer = model.buffers[user.buffer]
            if buffer.offset > 1:
                raise ModelError("keeps weights behind the flatbuffer (over 2 GB)", where="the model")
            numbers[user.buffer] = 0 if _is_empty(buffer.data) else len(kept)
            if numbers[user.buffer]:
                kept.append(buffer)
        user.buffer = numbers[user.buffer]
    model.buffers = kept


def _drop_unused_operator_codes(model: Any) -> None:
    kept: list[Any] = []
    numbers: dict[tuple[Any, ...], int] = {}
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            code = model.operatorCodes[operator.opcodeIndex]
            key = (code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version)
            if key not in numbers:
                numbers[key] = len(kept)
                kept.append(code)
            operator.opcodeIndex = numbers[key]
    model.operatorCodes = kept


def _require_same_network(before: Model, after: Model) -> None:
    """Fails loudly, as a bug of edgeprune, if anything that is computed was lost on the way."""
    same = len(before.subgraphs) == len(after.subgraphs) and all(
        _same_graph(*pair) for pair in zip(before.subgraphs, after.subgraphs, strict=True)
    )
    if not same:
        raise RuntimeError("stripping changed the network")


def _same_graph(before: Subgraph, after: Subgraph) -> bool:
    # Compared as text, because a NaN among the options equals itself there.
    return (
        repr((before.inputs, before.outputs, before.ops)) == repr((after.inputs, after.outputs, after.ops))
        and len(before.tensors) == len(after.tensors)
        and all(_same_tensor(*pair) for pair in zip(before.tensors, after.tensors, strict=True))
    )


def _same_tensor(before: Tensor, after: Tensor) -> bool:
    plain = ["shape", "shape_signature", "dtype", "is_variable", "is_sparse"]
    # An axis without scales means nothing, and goes with the calibration range it stood beside.
    plain += ["axis"] if before.scales.size else []
    return (
        all(getattr(before, name) == getattr(after, name) for name in plain)
        and np.array_equal(before.scales, after.scales, equal_nan=True)
        and np.array_equal(before.zero_points, after.zero_points)
        and (before.data is None) == (after.data is None)
        and (before.data is None or after.data is None or np.array_equal(before.data, after.data))
    )


def _indices(vector: Any) -> list[int]:
    return [] if vector is None or isinstance(vector, int) else [int(index) for index in vector]


def _is_empty(vector: Any) -> bool:
    return vector is None or isinstance(vector, int) or len(vector) == 0
