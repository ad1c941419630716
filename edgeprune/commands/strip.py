"""`edgeprune strip`: a `.tflite` file without what no runtime reads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.files import read_file, refuse_existing, whole_file
from edgeprune.tflite.parts import Part, list_parts
from edgeprune.tflite.strip import strip


@dataclass(frozen=True, kw_only=True, slots=True)
class StripResult:
    """What `edgeprune strip` did.

    Attributes:
        file, output: the file that was read, and the one that was written.
        before, after: what the bytes of each are spent on, kind by kind.
    """

    file: Path
    output: Path
    before: tuple[Part, ...]
    after: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `strip --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "output": str(self.output),
            "before_bytes": sum(part.bytes for part in self.before),
            "after_bytes": sum(part.bytes for part in self.after),
            "before": [asdict(part) for part in self.before],
            "after": [asdict(part) for part in self.after],
        }


def strip_file(path: Path, *, output: Path, keep_interface: bool = False, force: bool = False) -> StripResult:
    """Write a file that computes the same, bit for bit, without what no runtime reads.

    Args:
        path: the `.tflite` file.
        output: the file to write.
        keep_interface: keep signatures, names of inputs and outputs, metadata and attached labels.
        force: replace an output that exists.

    Raises:
        ModelError: the file cannot be used.
        OutputError: the output exists and `force` is not set, or it cannot be written.
    """
    refuse_existing(output, force=force)
    data = read_file(path)
    stripped = strip(data, keep_interface=keep_interface, where=str(path))
    with whole_file(output, force=force) as temporary:
        temporary.write_bytes(stripped)
    return StripResult(
        file=path,
        output=output,
        before=list_parts(data, where=str(path)),
        after=list_parts(stripped, where=str(output)),
    )
