"""Bytes of a `.tflite` file to a `Model`; whatever is wrong with them ends in a `ModelError`.

The generated reader trusts every offset and length in the file. Three things make it safe here: numbers
read outside the file raise, constants are views that numpy bounds-checks, and a budget on what is copied
out of the file stops those whose vectors point at one another and would unfold into millions.
"""

import re
import struct
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.calls import find_call_problem
from edgeprune.tflite.model import BITS, Model, Op, Signature, Subgraph, Tensor
from edgeprune.tflite.schema import enum_names, load_schema
from edgeprune.tflite.validity.require import require_valid

FILE_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
MALFORMED = (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What the generated reader raises on a file that is not what it claims to be."""

_OPTION_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "output_type": "TensorType",
    "quantized_bias_type": "TensorType",
    "mode": "MirrorPadMode",
}
# Of what is read as Python objects, which take up to ten times the memory. A file that shares equal vectors
# between tensors unfolds a little; the largest part of a real one is constants, which are not copied.
_TABLE_BYTES, _SHARED_BYTES = 12, 1 << 16
# Constants are looked at once for each tensor and buffer that says that they are its own: equal ones may be
# stored once, but a file of thousands that share a large one would take hours to strip.
_SHARED_CONSTANTS, _SMALL_CONSTANTS_BYTES = 64, 1 << 20
_MOST_TENSOR_BYTES = 2**62  # sizes beyond overflow the 64-bit integers of runtimes
_NO_FLOATS, _NO_INTEGERS = np.empty(0, np.float32), np.empty(0, np.int64)
_LOOSE_SIZES = "COMPRESSION_METADATA"  # TFLM's own compression: buffers are smaller than their tensors


def read_model(data: bytes, *, where: str) -> Model:
    """The model in a file.

    Args:
        data: the whole file.
        where: the file's name, for messages.

    Raises:
        ModelError: the bytes are not a TFLite model, are cut off, contradict themselves, or say what no
            kernel can do.
    """
    if len(data) < 16 or data[4:8] != FILE_IDENTIFIER:
        raise ModelError(
            "is not a TFLite model",
            where=where,
            why="empty file" if not data else f"no '{FILE_IDENTIFIER.decode()}' at byte 4",
            fix="give a .tflite file; a Keras model must be converted first (edgeprune build)",
        )
    try:
        model = _Reader(data, where).model()
    except MALFORMED as error:
        raise ModelError(
            "is damaged or cut off",
            where=where,
            why=str(error) or type(error).__name__,
            fix="copy or convert the model again",
        ) from error
    require_valid(model)
    return model


class _Reader:
    """One pass over one file, counting what it reads."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where = data, where
        self.left_bytes = len(data) + _SHARED_BYTES
        self.left_constant_bytes = _SHARED_CONSTANTS * len(data) + _SMALL_CONSTANTS_BYTES
        self.root = load_schema().Model.GetRootAs(data, 0)
        self.outside: set[int] = set()

    def model(self) -> Model:
        root = self.root
        if root.Version() != _SCHEMA_VERSION:
            self._fail(f"it is of the schema version {root.Version()}, and runtimes read {_SCHEMA_VERSION}")
        codes = self._tables(root.OperatorCodesLength(), root.OperatorCodes, "operator code")
        names = [self._op_name(code) for code in codes]
        versions = [int(code.Version()) for code in codes]
        buffers = [
            self._bytes_of(index, buffer)
            for index, buffer in enumerate(self._tables(root.BuffersLength(), root.Buffers, "buffer"))
        ]
        metadata = {
            self._text(entry.Name()): self._metadata(int(entry.Buffer()), buffers)
            for entry in self._tables(root.MetadataLength(), root.Metadata, "metadata")
        }
        exact = _LOOSE_SIZES not in metadata
        subgraphs = tuple(
            self._subgraph(graph, names, versions, buffers, exact)
            for graph in self._tables(root.SubgraphsLength(), root.Subgraphs, "subgraph")
        )
        if not subgraphs:
            self._fail("holds no subgraph")
        if problem := find_call_problem(subgraphs):
            self._fail(problem)
        return Model(
            where=self.where,
            subgraphs=subgraphs,
            signatures=tuple(
                self._signature(entry, subgraphs)
                for entry in self._tables(root.SignatureDefsLength(), root.SignatureDefs, "signature")
            ),
            metadata=metadata,
            description=self._text(root.Description()),
            size_bytes=len(self.data),
        )

    def _subgraph(
        self,
        graph: Any,
        names: list[str],
        versions: list[int],
        buffers: list[NDArray[np.uint8] | None],
        exact: bool,
    ) -> Subgraph:
        tensors = tuple(
            self._tensor(index, tensor, buffers, exact)
            for index, tensor in enumerate(self._tables(graph.TensorsLength(), graph.Tensors, "tensor"))
        )
        ops = tuple(
            self._op(index, operator, names, versions, len(tensors))
            for index, operator in enumerate(
                self._tables(graph.OperatorsLength(), graph.Operators, "operator")
            )
        )
        return Subgraph(
            name=self._text(graph.Name()),
            tensors=tensors,
            inputs=self._tensor_indices(graph.InputsAsNumpy(), len(tensors), "input"),
            outputs=self._tensor_indices(graph.OutputsAsNumpy(), len(tensors), "output"),
            ops=ops,
        )

    def _tensor(
        self, index: int, tensor: Any, buffers: list[NDArray[np.uint8] | None], exact: bool
    ) -> Tensor:
        buffer = int(tensor.Buffer())
        if buffer >= len(buffers):
            self._fail(f"tensor {index} names buffer {buffer} of {len(buffers)}")
        shape = tuple(self._vector(tensor.ShapeAsNumpy()).tolist())
        if any(size < 0 for size in shape):
            self._fail(f"tensor {index} has a negative dimension: {shape}")
        quantization = tensor.Quantization()
        sparsity = tensor.Sparsity()
        if sparsity is not None:
            self._spend(_TABLE_BYTES * sparsity.DimMetadataLength())
        self._spend(_TABLE_BYTES * tensor.VariantTensorsLength())
        scales = _floats(None if quantization is None else quantization.ScaleAsNumpy())
        self._spend(scales.nbytes)
        read = Tensor(
            index=index,
            name=self._text(tensor.Name()),
            shape=shape,
            shape_signature=tuple(self._vector(tensor.ShapeSignatureAsNumpy()).tolist()),
            dtype=self._enum_name("TensorType", int(tensor.Type()), f"tensor {index}'s type").lower(),
            data=None if tensor.IsVariable() else buffers[buffer],
            scales=scales,
            zero_points=_integers(None if quantization is None else quantization.ZeroPointAsNumpy()),
            axis=0 if quantization is None else int(quantization.QuantizedDimension()),
            is_variable=bool(tensor.IsVariable()),
            is_sparse=sparsity is not None,
            is_outside=buffer in self.outside,
            buffer=buffer,
        )
        self._check_tensor(read, exact)
        return read

    def _check_tensor(self, tensor: Tensor, exact: bool) -> None:
        self._spend_constant(tensor.data)
        if tensor.bytes > _MOST_TENSOR_BYTES:
            self._fail(f"tensor {tensor.index} of shape {tensor.shape} is larger than any memory")
        sized = exact and not tensor.is_sparse and tensor.dtype in BITS
        if tensor.data is not None and sized and tensor.data.size != tensor.bytes:
            self._fail(
                f"tensor {tensor.index} has {tensor.data.size} bytes, its shape {tensor.shape} "
                f"of {tensor.dtype} needs {tensor.bytes}"
            )
        # Old converters wrote the filter's axis on the bias too, so the axis itself is not judged here.
        if tensor.scales.size > 1 and tensor.scales.size not in tensor.shape:
            self._fail(f"tensor {tensor.index} has {tensor.scales.size} scales for shape {tensor.shape}")
        if tensor.zero_points.size not in (0, 1, tensor.scales.size):
            self._fail(f"tensor {tensor.index} has {tensor.zero_points.size} zero points")

    def _op(self, index: int, operator: Any, names: list[str], versions: list[int], tensors: int) -> Op:
        code = int(operator.OpcodeIndex())
        if code >= len(names):
            self._fail(f"operator {index} names operator code {code} of {len(names)}")
        custom = self._vector(operator.CustomOptionsAsNumpy())
        return Op(
            index=index,
            name=names[code],
            version=versions[code],
            inputs=self._tensor_indices(
                operator.InputsAsNumpy(), tensors, f"operator {index} input", optional=True
            ),
            outputs=self._tensor_indices(operator.OutputsAsNumpy(), tensors, f"operator {index} output"),
            options=self._options(operator.BuiltinOptionsType(), operator.BuiltinOptions(), "BuiltinOptions")
            | self._options(operator.BuiltinOptions2Type(), operator.BuiltinOptions2(), "BuiltinOptions2"),
            custom_options=custom.tobytes(),
        )

    def _options(self, kind: int, table: Any, union: str) -> dict[str, Any]:
        if kind == 0 or table is None:
            return {}
        schema, name = load_schema(), self._enum_name(union, kind, "the kind of an operator's options")
        packed = getattr(schema, name)()
        packed.Init(table.Bytes, table.Pos)
        options: dict[str, Any] = {}
        for camel, value in vars(getattr(schema, name + "T").InitFromObj(packed)).items():
            key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", camel).lower()
            if isinstance(value, np.ndarray):
                options[key] = tuple(self._vector(value).tolist())
            elif key in _OPTION_ENUMS and isinstance(value, int):
                options[key] = self._enum_name(_OPTION_ENUMS[key], value, key)
            elif isinstance(value, int | float | bool | bytes):
                options[key] = self._text(value) if isinstance(value, bytes) else value
        return options

    def _signature(self, entry: Any, subgraphs: tuple[Subgraph, ...]) -> Signature:
        subgraph = int(entry.SubgraphIndex())
        if subgraph >= len(subgraphs):
            self._fail(f"a signature names subgraph {subgraph} of {len(subgraphs)}")
        sides = []
        for length, get in ((entry.InputsLength(), entry.Inputs), (entry.OutputsLength(), entry.Outputs)):
            maps = self._tables(length, get, "signature argument")
            indices = self._tensor_indices(
                np.array([argument.TensorIndex() for argument in maps], np.int64),
                len(subgraphs[subgraph].tensors),
                "a signature",
            )
            sides.append(dict(zip((self._text(argument.Name()) for argument in maps), indices, strict=True)))
        return Signature(
            key=self._text(entry.SignatureKey()), subgraph=subgraph, inputs=sides[0], outputs=sides[1]
        )

    def _metadata(self, buffer: int, buffers: list[NDArray[np.uint8] | None]) -> bytes:
        if buffer >= len(buffers):
            self._fail(f"a metadata entry names buffer {buffer} of {len(buffers)}")
        content = buffers[buffer]
        return b"" if content is None else self._vector(content).tobytes()

    def _enum_name(self, enum: str, number: int, what: str) -> str:
        name = enum_names(enum).get(number)
        if name is None:
            self._fail(f"{what} is {number}, which TFLite's schema does not have")
        return name

    def _op_name(self, code: Any) -> str:
        # Files written before 2021 have the number in the old byte-sized field alone.
        number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        name = enum_names("BuiltinOperator").get(number, f"BUILTIN_{number}")
        return f"CUSTOM:{self._text(code.CustomCode())}" if name == "CUSTOM" else name

    def _bytes_of(self, index: int, buffer: Any) -> NDArray[np.uint8] | None:
        """A buffer's bytes; in files over 2 GB they lie behind the flatbuffer, at `offset`."""
        if buffer.Offset() > 1 and buffer.Size() > 0:
            self.outside.add(index)
            return np.frombuffer(self.data, np.uint8, count=int(buffer.Size()), offset=int(buffer.Offset()))
        if buffer.DataLength() == 0:
            return None
        view: NDArray[np.uint8] = buffer.DataAsNumpy()
        self._spend_constant(view)
        return view

    def _tables(self, length: int, get: Callable[[int], Any], kind: str) -> list[Any]:
        self._spend(_TABLE_BYTES * length)
        tables = [get(index) for index in range(length)]
        if any(table is None for table in tables):
            self._fail(f"an empty {kind}")
        return tables

    def _tensor_indices(
        self, found: Any, count: int, kind: str, *, optional: bool = False
    ) -> tuple[int, ...]:
        indices = tuple(int(index) for index in self._vector(found))
        for index in indices:
            if not (-1 if optional else 0) <= index < count:
                self._fail(f"{kind} names tensor {index} of {count}")
        return indices

    def _vector(self, found: Any) -> NDArray[Any]:
        """A vector of the file, which the generated reader gives as 0 where there is none."""
        vector = _NO_INTEGERS if isinstance(found, int) else found
        self._spend(vector.nbytes)
        return vector

    def _text(self, raw: bytes | None) -> str:
        self._spend(len(raw or b""))
        return (raw or b"").decode(errors="replace")

    def _spend(self, size_bytes: int) -> None:
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            self._fail("its vectors hold more elements than a file of this size can")

    def _spend_constant(self, constant: NDArray[np.uint8] | None) -> None:
        self.left_constant_bytes -= 0 if constant is None else constant.size
        if self.left_constant_bytes < 0:
            self._fail("its constants share more bytes than a file of this size can")

    def _fail(self, why: str) -> NoReturn:
        raise ModelError("is damaged", where=self.where, why=why)


def _floats(found: Any) -> NDArray[np.float32]:
    return _NO_FLOATS if found is None or isinstance(found, int) else np.asarray(found, np.float32)


def _integers(found: Any) -> NDArray[np.int64]:
    return _NO_INTEGERS if found is None or isinstance(found, int) else np.asarray(found, np.int64)
