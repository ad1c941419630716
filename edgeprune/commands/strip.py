"""`edgeprune strip`: a `.tflite` file without what no runtime reads."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.files import FileSource, name_file, read_file, refuse_existing, write_file
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.tflite.parts import Part, list_parts
from edgeprune.tflite.strip import strip


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class StripResult(Summarized):
    """What `edgeprune strip` did.

    Attributes:
        file, output: the file that was read, and the one that was written; None for none.
        tflite: what was, or would be, written.
        before, after: what the bytes of each are spent on, kind by kind.
    """

    file: str
    output: Path | None
    tflite: bytes
    before: tuple[Part, ...]
    after: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `strip --json`."""
        return {
            "schema": 1,
            "file": self.file,
            "output": None if self.output is None else str(self.output),
            "before_bytes": sum(part.bytes for part in self.before),
            "after_bytes": sum(part.bytes for part in self.after),
            "before": [asdict(part) for part in self.before],
            "after": [asdict(part) for part in self.after],
        }

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the file and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        write_file(Path(output), self.tflite, force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        before, after = (sum(part.bytes for part in parts) for parts in (self.before, self.after))
        return Summary(f"{before:,} → {after:,} bytes; it computes the same.")


def strip_file(
    file: FileSource, *, output: Path | None = None, keep_interface: bool = False, force: bool = False
) -> StripResult:
    """Make a file that computes the same, bit for bit, without what no runtime reads.

    Args:
        file: the path of a `.tflite` file, or its bytes.
        output: the file to write; None for none.
        keep_interface: keep signatures, names of inputs and outputs, metadata and attached labels.
        force: replace an output that exists.

    Raises:
        ModelError: the file cannot be used.
        OutputError: the output exists and `force` is not set, or it cannot be written.
    """
    refuse_existing(output, force=force)
    data, where = read_file(file), name_file(file)
    stripped = strip(data, keep_interface=keep_interface, where=where)
    result = StripResult(
        file=where,
        output=output,
        tflite=stripped,
        before=list_parts(data, where=where),
        after=list_parts(stripped, where=where),
    )
    if output is not None:
        result.save(output, force=force)
    return result
