"""`edgeprune view`: everything that is in a `.tflite` file."""

from dataclasses import asdict, dataclass
from typing import Any

from edgeprune.errors import ModelError
from edgeprune.files import FileSource, name_file, read_file
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.tflite.attached import read_attached
from edgeprune.tflite.metadata import ENTRY, ModelMetadata, read_metadata
from edgeprune.tflite.model import Model
from edgeprune.tflite.outline import Outline, outline_model
from edgeprune.tflite.read import read_model


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class FileView(Summarized):
    """What `edgeprune view` found.

    Attributes:
        file: what was looked at.
        model: the file, read.
        outline: its ops and tensors with their sizes.
        metadata: what TFLite's own metadata say; None where there are none.
        attached_bytes: sizes of the files behind the model by name, for example of its labels.
        labels: lines of each attached file that the metadata call the labels of an output.
        notes: what could not be read, one sentence each.
    """

    file: str
    model: Model
    outline: Outline
    metadata: ModelMetadata | None
    attached_bytes: dict[str, int]
    labels: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `view --json`."""
        outline = asdict(self.outline)
        return {
            "schema": 1,
            "file": self.file,
            "size_bytes": outline["size_bytes"],
            "constant_bytes": outline["constant_bytes"],
            "zeros": outline["zeros"],
            "elements": outline["elements"],
            "description": self.model.description,
            "subgraphs": [_write_custom_options(graph) for graph in outline["subgraphs"]],
            "arena": outline["arena"],
            "signatures": [asdict(signature) for signature in self.model.signatures],
            "metadata": {
                "entries": {name: len(content) for name, content in self.model.metadata.items()},
                "tflite": None if self.metadata is None else asdict(self.metadata),
                "attached_bytes": self.attached_bytes,
                "labels": self.labels,
            },
            "notes": list(self.notes),
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        counts: dict[str, int] = {}
        for graph in self.outline.subgraphs:
            for op in graph.ops:
                counts[op.name] = counts.get(op.name, 0) + 1
        ops = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        return Summary(f"{self.outline.size_bytes:,} bytes: {ops}.")


def view_file(file: FileSource) -> FileView:
    """Everything in a `.tflite` file: ops, tensors, quantization, sizes, zeros, signatures, metadata.

    Metadata that cannot be read are a note, because no runtime reads them.

    Raises:
        ModelError: the file cannot be used.
    """
    data, where = read_file(file), name_file(file)
    model = read_model(data, where=where)
    outline = outline_model(model)
    notes = [outline.arena_note] if outline.arena_note else []
    metadata, attached = None, {}
    try:
        if ENTRY in model.metadata:
            metadata = read_metadata(model.metadata[ENTRY], where=where)
        attached = read_attached(data, model)
    except ModelError as error:
        notes.append(f"{error.message}.")
    named = {tensor.labels for tensor in metadata.outputs} if metadata else set()
    return FileView(
        file=where,
        model=model,
        outline=outline,
        metadata=metadata,
        attached_bytes={name: len(content) for name, content in attached.items()},
        labels={name: _split(attached[name]) for name in sorted(named & set(attached))},
        notes=tuple(notes),
    )


def _split(content: bytes) -> tuple[str, ...]:
    return tuple(content.decode(errors="replace").splitlines())


def _write_custom_options(graph: dict[str, Any]) -> dict[str, Any]:
    """The subgraph with bytes as hexadecimal digits, because JSON has no bytes."""
    for op in graph["ops"]:
        op["custom_options"] = op["custom_options"].hex()
    return graph
