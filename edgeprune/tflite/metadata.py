"""TFLite metadata: what people and phone libraries are told about a model; runtimes do not read it.

It is a flatbuffer of its own, with the identifier M001, in the model's metadata entry "TFLITE_METADATA".
Its schema is public but no dependency of ours carries it; these are the fields that are written here, by
their places in each table:

    ModelMetadata      0 name, 1 description, 2 version, 3 [SubGraphMetadata], 7 least version of a reader
    SubGraphMetadata   2 [TensorMetadata] of inputs, 3 of outputs, both in the order of the model
    TensorMetadata     0 name, 3 Content, 4 [ProcessUnit], 5 Stats, 6 [AssociatedFile]
    Content            0 kind (1 feature, 2 image), 1 ImageProperties or FeatureProperties
    ImageProperties    0 color space (1 RGB, 2 grayscale)
    ProcessUnit        0 kind (1 normalization), 1 NormalizationOptions
    NormalizationOptions   0 [mean], 1 [standard deviation]: the model takes (value - mean) / deviation
    Stats              0 [maximum], 1 [minimum]
    AssociatedFile     0 name, 2 kind (2 labels of an axis)

Source: `metadata_schema.fbs` of tensorflow/tflite-support, version 1.5.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import flatbuffers
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from edgeprune.errors import ModelError

ENTRY = "TFLITE_METADATA"
"""Name of the model's metadata entry."""
IDENTIFIER = b"M001"
_LEAST_READER = "1.0.0"
_AXIS_LABELS, _FEATURE, _IMAGE, _NORMALIZATION = 2, 1, 2, 1
_COLORS: dict[int, Literal["rgb", "grayscale"]] = {1: "rgb", 2: "grayscale"}
_MALFORMED = (struct.error, IndexError, ValueError, TypeError, OverflowError)
_NOTHING: Mapping[int, int] = {}
_READ_AT_MOST = 8  # times the entry's own size: tables that point at one another unfold into more


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorMetadata:
    """What is known of one input or output.

    Attributes:
        name: for people.
        color_space: of an image; "" for anything else.
        mean, std: the model takes (value - mean) / std: one number, or one per channel; empty if unknown.
        minimum, maximum: range of the values that the model takes or gives; empty if unknown.
        labels: name of the attached file with one label per line; "" if there is none.
    """

    name: str = ""
    color_space: Literal["", "rgb", "grayscale"] = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    labels: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMetadata:
    """What is known of a model; inputs and outputs in its own order."""

    name: str = ""
    description: str = ""
    version: str = ""
    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()


def write_metadata(metadata: ModelMetadata) -> bytes:
    """The content of the entry `ENTRY`."""
    builder = flatbuffers.Builder(256)
    graph = _table(
        builder,
        {
            2: _tables(builder, [_write_tensor(builder, tensor) for tensor in metadata.inputs]),
            3: _tables(builder, [_write_tensor(builder, tensor) for tensor in metadata.outputs]),
        },
    )
    root = _table(
        builder,
        {
            0: _text(builder, metadata.name),
            1: _text(builder, metadata.description),
            2: _text(builder, metadata.version),
            3: _tables(builder, [graph]),
            7: _text(builder, _LEAST_READER),
        },
    )
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())


def read_metadata(content: bytes, *, where: str) -> ModelMetadata:
    """What `write_metadata`, or another tool, wrote.

    Args:
        content: of the entry `ENTRY`.
        where: the file's name, for messages.

    Raises:
        ModelError: it is damaged.
    """
    place = f"{where}: metadata '{ENTRY}'"
    if content[4:8] != IDENTIFIER:
        raise ModelError("is damaged", where=place, why=f"no '{IDENTIFIER.decode()}' at byte 4")
    try:
        reader = _Reader(content)
        root = reader.root()
        graphs = reader.tables(root, 3)[:1]  # the main one alone has inputs and outputs of the model
        return ModelMetadata(
            name=reader.text(root, 0),
            description=reader.text(root, 1),
            version=reader.text(root, 2),
            inputs=tuple(_read_tensor(reader, t) for graph in graphs for t in reader.tables(graph, 2)),
            outputs=tuple(_read_tensor(reader, t) for graph in graphs for t in reader.tables(graph, 3)),
        )
    except _MALFORMED as error:
        raise ModelError("is damaged", where=place, why=str(error) or type(error).__name__) from error


def _write_tensor(builder: Any, tensor: TensorMetadata) -> int:
    if tensor.color_space:
        color = next(number for number, name in _COLORS.items() if name == tensor.color_space)
        content = _table(builder, {1: _table(builder, {}, numbers={0: color})}, numbers={0: _IMAGE})
    else:
        content = _table(builder, {1: _table(builder, {})}, numbers={0: _FEATURE})
    units = []
    if tensor.mean:
        options = _table(builder, {0: _floats(builder, tensor.mean), 1: _floats(builder, tensor.std)})
        units.append(_table(builder, {1: options}, numbers={0: _NORMALIZATION}))
    stats = None
    if tensor.maximum:
        stats = _table(builder, {0: _floats(builder, tensor.maximum), 1: _floats(builder, tensor.minimum)})
    files = []
    if tensor.labels:
        files.append(_table(builder, {0: _text(builder, tensor.labels)}, numbers={2: _AXIS_LABELS}))
    return _table(
        builder,
        {
            0: _text(builder, tensor.name),
            3: content,
            4: _tables(builder, units),
            5: stats,
            6: _tables(builder, files),
        },
    )


def _read_tensor(reader: "_Reader", table: Table) -> TensorMetadata:
    content = reader.tables(table, 3, single=True)
    color = ""
    if content and reader.number(content[0], 0) == _IMAGE:
        image = reader.tables(content[0], 1, single=True)
        color = _COLORS.get(reader.number(image[0], 0), "") if image else ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for unit in reader.tables(table, 4):
        if reader.number(unit, 0) == _NORMALIZATION:
            for options in reader.tables(unit, 1, single=True):
                mean, std = reader.floats(options, 0), reader.floats(options, 1)
    stats = reader.tables(table, 5, single=True)
    labels = [
        reader.text(file, 0) for file in reader.tables(table, 6) if reader.number(file, 2) == _AXIS_LABELS
    ]
    return TensorMetadata(
        name=reader.text(table, 0),
        color_space=color,  # type: ignore[arg-type]
        mean=mean,
        std=std,
        maximum=reader.floats(stats[0], 0) if stats else (),
        minimum=reader.floats(stats[0], 1) if stats else (),
        labels=labels[0] if labels else "",
    )


def _table(builder: Any, offsets: Mapping[int, int | None], *, numbers: Mapping[int, int] = _NOTHING) -> int:
    """A table of offsets and of one-byte numbers, both by field."""
    builder.StartObject(max([-1, *offsets, *numbers]) + 1)
    for slot, offset in offsets.items():
        if offset is not None:
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in numbers.items():
        builder.PrependUint8Slot(slot, number, 0)
    return int(builder.EndObject())


def _tables(builder: Any, tables: Sequence[int]) -> int | None:
    if not tables:
        return None
    builder.StartVector(4, len(tables), 4)
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())


def _text(builder: Any, text: str) -> int | None:
    return int(builder.CreateString(text)) if text else None


class _Reader:
    """Fields of tables by their places, with a budget on what is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.left_bytes = _READ_AT_MOST * len(content)

    def root(self) -> Table:
        return Table(self.content, encode.Get(number_types.UOffsetTFlags.packer_type, self.content, 0))

    def text(self, table: Table, slot: int) -> str:
        at = self._find(table, slot)
        raw = b"" if not at else table.String(table.Pos + at)
        self._spend(len(raw))
        return bytes(raw).decode(errors="replace")

    def number(self, table: Table, slot: int) -> int:
        at = self._find(table, slot)
        return int(table.Get(number_types.Uint8Flags, table.Pos + at)) if at else 0

    def floats(self, table: Table, slot: int) -> tuple[float, ...]:
        at = self._find(table, slot)
        if not at:
            return ()
        start, count = table.Vector(at), table.VectorLen(at)
        self._spend(4 * count)
        return struct.unpack_from(f"<{count}f", self.content, start)

    def tables(self, table: Table, slot: int, *, single: bool = False) -> list[Table]:
        """The tables of a vector, or the one that the field itself points at."""
        at = self._find(table, slot)
        if not at:
            return []
        if single:
            self._spend(4)
            return [Table(self.content, table.Indirect(table.Pos + at))]
        start, count = table.Vector(at), table.VectorLen(at)
        self._spend(4 * count)
        return [Table(self.content, table.Indirect(start + 4 * place)) for place in range(count)]

    def _find(self, table: Table, slot: int) -> int:
        return int(table.Offset(4 + 2 * slot))

    def _spend(self, size_bytes: int) -> None:
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise ValueError("it unfolds into more than it holds")
