"""What the bytes of a `.tflite` file are spent on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.errors import ModelError
from edgeprune.tflite.attached import read_attached
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import unpack


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One kind of content: its name, how many there are, and what they hold, headers aside."""

    name: str
    count: int
    bytes: int


def list_parts(data: bytes, *, where: str) -> tuple[Part, ...]:
    """What a file holds by kind; the last part is all that is left: tables, shapes, scales and padding.

    Args:
        data: a whole `.tflite` file.
        where: its name, for messages.

    Raises:
        ModelError: the file is damaged.
    """
    model, packed = read_model(data, where=where), unpack(data, where=where)
    described = {entry.buffer for entry in packed.metadata or ()}
    stored = _size_vectors(
        buffer.data for at, buffer in enumerate(packed.buffers or ()) if at not in described
    )
    try:
        attached = read_attached(data, model)
    except ModelError:  # a damaged archive: stripping takes it away, and so far it counts as structure
        attached = {}
    codes = [_size(code.customCode) for code in packed.operatorCodes or ()]
    parts = (
        _sum("constants", stored),
        _sum("names", _list_texts(packed)),
        _sum("calibration ranges", _size_vectors(_list_ranges(packed))),
        _sum("metadata", [len(content) for content in model.metadata.values()]),
        _sum("attached files", [len(content) for content in attached.values()]),
        _sum("signatures", [_size(entry.signatureKey) for entry in packed.signatureDefs or ()]),
        _sum("operator versions", codes),
    )
    rest = len(data) - sum(part.bytes for part in parts)
    return (*parts, Part(name="structure", count=1, bytes=rest))


def _sum(name: str, sizes: Sequence[int]) -> Part:
    return Part(name=name, count=len(sizes), bytes=sum(sizes))


def _list_texts(packed: Any) -> list[int]:
    texts = [packed.description]
    for graph in packed.subgraphs:
        texts += [graph.name, *(tensor.name for tensor in graph.tensors or ())]
    for entry in packed.signatureDefs or ():
        texts += [side.name for side in (*(entry.inputs or ()), *(entry.outputs or ()))]
    return [_size(text) for text in texts if text]


def _list_ranges(packed: Any) -> Iterator[Any]:
    for graph in packed.subgraphs:
        for tensor in graph.tensors or ():
            if tensor.quantization is not None:
                yield from (tensor.quantization.min, tensor.quantization.max)


def _size_vectors(vectors: Iterable[Any]) -> list[int]:
    """Bytes of each vector that there is; what shares its bytes with one before counts once."""
    found = {(v.ctypes.data, v.nbytes) for v in vectors if isinstance(v, np.ndarray) and v.size}
    return [size for _, size in found]


def _size(text: Any) -> int:
    return len(text or b"")
