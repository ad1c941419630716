"""A `.tflite` file with what people and applications are told about it: signature, metadata, labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeprune.tflite.attached import attach
from edgeprune.tflite.metadata import ENTRY, ModelMetadata, write_metadata
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, unpack

SIGNATURE_KEY = "serving_default"
"""What TensorFlow's own converter calls the signature of a Keras model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """What to add to a file.

    Attributes:
        inputs, outputs: names of the main graph's inputs and outputs in its order, for a signature; empty
            for a file without one.
        metadata: None for a file without any.
        files: content of attached files by name, for example of the labels.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metadata: ModelMetadata | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def annotate(tflite: bytes, annotation: Annotation) -> bytes:
    """The file with all this in it; what it computes stays the same, bit for bit.

    Args:
        tflite: a file without an archive behind it, as `strip` makes it; its own signatures are replaced.
        annotation: what to add; names, where there are any, are as many as the inputs and outputs.

    Raises:
        ModelError: the file is damaged.
    """
    if annotation == Annotation():
        return tflite
    packed = unpack(tflite, where="the model")
    if annotation.inputs or annotation.outputs:
        _add_signature(packed, annotation)
    if annotation.metadata is not None:
        _add_metadata(packed, write_metadata(annotation.metadata))
    return attach(pack(packed), annotation.files)


def _add_signature(packed: Any, annotation: Annotation) -> None:
    graph, signature = packed.subgraphs[0], load_schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE_KEY, 0
    signature.inputs = _name_tensors(graph, graph.inputs, annotation.inputs)
    signature.outputs = _name_tensors(graph, graph.outputs, annotation.outputs)
    packed.signatureDefs = [signature]


def _name_tensors(graph: Any, indices: Any, names: Sequence[str]) -> list[Any]:
    maps = []
    for index, name in zip(indices, names, strict=True):
        maps.append(load_schema().TensorMapT())
        maps[-1].name, maps[-1].tensorIndex = name, int(index)
        graph.tensors[int(index)].name = name
    return maps


def _add_metadata(packed: Any, content: bytes) -> None:
    entry, buffer = load_schema().MetadataT(), load_schema().BufferT()
    entry.name, entry.buffer = ENTRY, len(packed.buffers)
    buffer.data = np.frombuffer(content, np.uint8)
    packed.buffers.append(buffer)
    packed.metadata = [other for other in packed.metadata or () if other.name != ENTRY.encode()] + [entry]
