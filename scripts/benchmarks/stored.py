"""Rows of `bench_sparsity.py`: what zeros, clusters and channels leave to store, and their table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from documentation.markdown import table

HEADS = ("model", "target", "variant", "stored KiB", "arena KiB", "latency ms", "metric")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRow:
    """One line of the table.

    Attributes:
        model, target, variant: what was stored for what.
        stored_bytes: on the device.
        arena_bytes: TFLM's or Vela's; None on this machine.
        latency_ms: estimated, or measured on this machine.
        metric, value: of the file, on test data.
        commit, date: when it was measured.
    """

    model: str
    target: str
    variant: str
    stored_bytes: int
    arena_bytes: float | None
    latency_ms: float | None
    metric: str
    value: float
    commit: str
    date: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two rows of a file have in common."""
        return (self.model, self.target, self.variant)


def read_rows(path: Path) -> list[StoredRow]:
    """The rows of a file; none where there is no file."""
    if not path.exists():
        return []
    return [StoredRow(**row) for row in json.loads(path.read_text("utf-8"))]


def add_row(path: Path, row: StoredRow) -> None:
    """The row takes the place of an older one of its key, or comes last."""
    rows = {old.key: old for old in read_rows(path)} | {row.key: row}
    path.write_text(json.dumps([asdict(r) for r in rows.values()], indent=2) + "\n", encoding="utf-8")


def format_table(rows: Sequence[StoredRow]) -> str:
    """The table, in Markdown."""
    return table(HEADS, [format_cells(row) for row in rows])


def format_cells(row: StoredRow) -> list[str]:
    """One line of the table; an empty cell where there is no figure."""
    is_accuracy = row.metric == "accuracy"
    return [
        row.model,
        row.target,
        row.variant,
        f"{row.stored_bytes / 1024:.1f}",
        "" if row.arena_bytes is None else f"{row.arena_bytes / 1024:.1f}",
        "" if row.latency_ms is None else f"{row.latency_ms:.3g}",
        f"{100 * row.value:.2f} %" if is_accuracy else f"{row.metric} {row.value:.3f}",
    ]
