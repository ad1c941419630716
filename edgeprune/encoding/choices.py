"""What became of each constant of a file whose constants may be stored encoded, in words and in JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeprune.device.figures import Figure
from edgeprune.tflite.decode.wire import Encoding
from edgeprune.units import format_quantity, format_ratio

NAMES: Mapping[Encoding, str] = {"prune": "PRUNE", "lut": "look-up table"}

_LABELS = {
    "tflite_bytes": ".tflite",
    "flash_bytes": "flash",
    "arena_bytes": "arena",
    "instructions": "instructions",
    "latency_ms": "latency",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorChoice:
    """One constant, and what became of it.

    Attributes:
        tensors: its index in the main subgraph; several where constants share their bytes.
        name: its name, "" in a stripped file.
        ops: the ops that read it, for example "CONV_2D 3".
        dtype: type of its elements.
        before_bytes: its size as it is.
        sparsity: fraction of elements that are zero; None where it cannot be encoded.
        after_bytes: its size in the encoding that needs least, header included; None where there is none.
        encoding: that encoding.
        encoded: whether it is stored so.
        file_bytes: bytes by which the file became smaller, or would have; None where that was not tried.
        arena_bytes: bytes by which the arena grew when it was added, or would have.
        instructions: what unpacking it takes at each inference; None where that is not known.
        reason: why it is not encoded, as a clause; "" where it is.
    """

    tensors: tuple[int, ...]
    name: str
    ops: tuple[str, ...]
    dtype: str
    before_bytes: int
    sparsity: float | None = None
    after_bytes: int | None = None
    encoding: Encoding | None = None
    encoded: bool = False
    file_bytes: int | None = None
    arena_bytes: int | None = None
    instructions: int | None = None
    reason: str = ""

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.name or f'tensor {self.tensors[0]}'} of {', '.join(self.ops)}"

    @property
    def is_missed(self) -> bool:
        """Whether encoding it would have made the file smaller, but something speaks against it."""
        return not self.encoded and (self.file_bytes or 0) > 0

    def to_json(self) -> dict[str, Any]:
        """The choice as a JSON object."""
        return {
            name: list(value) if isinstance(value := getattr(self, name), tuple) else value
            for name in self.__slots__
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressed:
    """A file with encoded constants, or as it was.

    Attributes:
        tflite: the bytes; LiteRT cannot run them where anything is encoded.
        tensors: every constant that is weights or bias.
        before, after: the file's figures.
        note: why nothing is encoded, as a sentence; "" where something is.
    """

    tflite: bytes
    tensors: tuple[TensorChoice, ...]
    before: Mapping[str, Figure]
    after: Mapping[str, Figure]
    note: str = ""

    @property
    def encoded(self) -> tuple[TensorChoice, ...]:
        """The constants that are stored encoded."""
        return tuple(choice for choice in self.tensors if choice.encoded)

    def with_names(self, names: Sequence[str]) -> "Compressed":
        """The same with the names of all tensors of the file it was made from, which stripping took away."""
        named = (replace(row, name=names[row.tensors[0]]) for row in self.tensors)
        return replace(self, tensors=tuple(named))

    def describe(self) -> list[str]:
        """Sentences: what is encoded, what that saves and costs, and what was left out for a budget."""
        left = [f"{row.label} stays as it is: {row.reason}." for row in self.tensors if row.is_missed]
        if not self.encoded:
            return [self.note, *left]
        counts = {name: sum(row.encoding == key for row in self.encoded) for key, name in NAMES.items()}
        kinds = ", ".join(f"{count} as {name}" for name, count in counts.items() if count)
        lines = [
            f"{len(self.encoded)} of {len(self.tensors)} constants are stored encoded ({kinds}): "
            f"{self._compare('tflite_bytes')}; {self._compare('flash_bytes')}.",
            f"Unpacking them costs: {self._compare('arena_bytes')}; {self._compare('instructions')}; "
            f"{self._compare('latency_ms')}.",
        ]
        if self.after["instructions"].value is None:
            lines.append("How long unpacking takes is not known on this device, and not part of its latency.")
        return lines + left

    def _compare(self, figure: str) -> str:
        before, after = self.before[figure], self.after[figure]
        was, now = (format_quantity(each.value, each.unit) for each in (before, after))
        return f"{_LABELS[figure]} {was} → {now} ({format_ratio(after.value, before.value)})"

    def to_json(self) -> dict[str, Any]:
        """The document of `compress --json`."""
        return {
            "encoded": len(self.encoded),
            "note": self.note,
            "tensors": [choice.to_json() for choice in self.tensors],
            "before": {name: figure.value for name, figure in self.before.items()},
            "after": {name: figure.value for name, figure in self.after.items()},
            "provenance": {name: figure.to_json() for name, figure in self.after.items()},
            "sentences": self.describe(),
        }
