"""Rows of `bench_low_rank.py`, and their table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from documentation.markdown import table

HEADS = (
    "way",
    "of the file",
    ".tflite KiB",
    "flash KiB, with code",
    "latency ms",
    "arena KiB",
    "int8 mse",
    "seeds",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LowRankRow:
    """One model: what it was to take, what it takes, and its mse on test data, of the file and in float."""

    variant: str
    fraction: float
    seed: int
    tflite_bytes: float
    flash_bytes: float
    latency_ms: float
    arena_bytes: float
    mse: float
    float_mse: float
    note: str = ""
    commit: str = ""
    date: str = ""


def read_rows(path: Path) -> list[LowRankRow]:
    """The rows of a file; none where there is no file."""
    return [LowRankRow(**row) for row in json.loads(path.read_text("utf-8"))] if path.exists() else []


def format_table(rows: Sequence[LowRankRow]) -> str:
    """Means over the seeds, with their spread, in Markdown."""
    return table(HEADS, [_format_cells(of_variant) for of_variant in group(rows)])


def _format_cells(rows: Sequence[LowRankRow]) -> list[str]:
    each = [row.mse for row in rows]
    spread = f" ± {stdev(each):.3f}" if len(each) > 1 else ""
    return [
        rows[0].variant,
        f"{rows[0].fraction:g}",
        f"{mean(row.tflite_bytes for row in rows) / 1024:.1f}",
        f"{mean(row.flash_bytes for row in rows) / 1024:.1f}",
        f"{mean(row.latency_ms for row in rows):.3g}",
        f"{mean(row.arena_bytes for row in rows) / 1024:.1f}",
        f"{mean(each):.3f}{spread}",
        str(len(each)),
    ]


def group(rows: Sequence[LowRankRow]) -> list[list[LowRankRow]]:
    """The rows of all seeds of each variant and budget."""
    found: dict[tuple[str, float], list[LowRankRow]] = {}
    for row in sorted(rows, key=lambda row: (-row.fraction, row.variant)):
        found.setdefault((row.variant, row.fraction), []).append(row)
    return list(found.values())
