"""`edgeprune compress`: a `.tflite` file whose weights are stored as the device's runtime can unpack them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.device.check import check_budgets, resolve_budgets, verdict
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.encoding.choices import Compressed
from edgeprune.encoding.xnnpack_sparse import SparseChoice
from edgeprune.files import FileSource, name_file, read_file, refuse_existing, write_file
from edgeprune.measuring.backend import backend_of, check_ops
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class CompressResult(Summarized):
    """What `edgeprune compress` did.

    Attributes:
        file, output: the file that was read, and the one that was written, None for none.
        profile: the device.
        choice: what became of each constant, for TFLM or for XNNPACK.
        figures: of the result.
        checks: those against budgets, and whether the runtime has a kernel for every op.
    """

    file: str
    output: Path | None
    profile: Profile
    choice: Compressed | SparseChoice
    figures: Mapping[str, Figure]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether anything is encoded."""
        return bool(self.choice.encoded)

    @property
    def fits(self) -> bool:
        """Whether the result keeps to the budgets."""
        return all(check.ok for check in self.checks)

    @property
    def tflite(self) -> bytes:
        """The file with its weights stored smaller; where nothing is encoded, merely stripped."""
        return self.choice.tflite

    def to_json(self) -> dict[str, Any]:
        """The document of `compress --json`."""
        return {
            "schema": 1,
            "file": self.file,
            "output": None if self.output is None else str(self.output),
            "device": self.profile.id,
            **self.choice.to_json(),
            "checks": [check.to_json() for check in self.checks],
            "ok": self.ok,
            "sentence": verdict(self.checks, self.profile.id),
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
        document = self.to_json()
        return Summary(
            document["sentence"],
            figures={name: figure.value for name, figure in self.figures.items()},
            provenance={name: figure.to_json() for name, figure in self.figures.items()},
            checks=document["checks"],
        )


def compress_file(
    file: FileSource,
    *,
    output: Path | None = None,
    device: str,
    flags: Mapping[str, float | None] | None = None,
    force: bool = False,
) -> CompressResult:
    """Make a file with its constants stored smaller where that pays; where it does not, write nothing.

    For TFLM they are encoded for its DECODE op, for LiteRT stored without zeros. What no runtime reads is
    left out, too, but the interface stays: names of inputs and outputs, signatures.

    Args:
        file: the path of a `.tflite` file, or its bytes.
        output: the file to write; None for none.
        device: a profile's id or file.
        flags: budgets that replace the profile's, by `flash_kib`, `ram_kib` and `latency_ms`.
        force: replace an output that exists.

    Raises:
        ModelError: the file cannot be read.
        UnknownNameError: there is no such device.
        ProfileError: the profile is wrong.
        OutputError: the output exists and `force` is not set, or it cannot be written.
        ToolError: LiteRT is needed and not installed, or failed.
    """
    profile = load_profile(device)
    budgets = resolve_budgets(profile, asked=flags)
    refuse_existing(output, force=force)
    data, where = read_file(file), name_file(file)
    # Stripping takes the names away that people know tensors by; indices stay.
    names = [tensor.name for tensor in read_model(data, where=where).tensors]
    stripped = strip(data, keep_interface=True, where=where)
    encoded = backend_of(profile).encode(stripped, budgets=budgets)
    found = encoded.compressed or Compressed(
        tflite=stripped,
        tensors=(),
        before=encoded.measured.figures,
        after=encoded.figures,
        note=encoded.note,
    )
    choice = found.with_names(names)
    result = CompressResult(
        file=where,
        output=output if choice.encoded else None,
        profile=profile,
        choice=choice,
        figures=encoded.figures,
        checks=(
            *check_budgets(encoded.figures, budgets, profile),
            check_ops(encoded.measured, profile),
        ),
    )
    if result.output is not None:
        result.save(result.output, force=force)
    return result
