"""Tables of figures, from the files that scripts wrote: `docs/figures/`, and what estimates go by."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench_applications as applications
from benchmarks import low_rank, stored
from benchmarks.ablations import format_ablations
from benchmarks.rows import RowFile
from benchmarks.tables import format_tables

from documentation.markdown import table

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "figures"
DEVICE_TABLES = ROOT / "edgeprune" / "device" / "tables"


def write_engine() -> str:
    """The C engine beside TFLM, on every core that was counted."""
    rows = json.loads((FIGURES / "engine.json").read_text("utf-8"))
    heads = ["model", "core", "instructions", "TFLM's", "fraction"]
    heads += ["weights", "code", "arena", "TFLM's arena", "stack"]
    cells = [
        [
            Path(row["model"]).stem,
            row["core"],
            _count(row["instructions"]),
            _count(row["tflm_instructions"]),
            _ratio(row["instructions"], row["tflm_instructions"]),
            *(_count(row[f"{name}_bytes"]) for name in ("weights", "code", "arena", "tflm_arena", "stack")),
        ]
        for row in rows
        if not row["why"]
    ]
    exact = sum(row["bit_exact"] is True for row in rows)
    said = f"{exact} of {len(rows)} are bit-exact. Sizes in bytes. {_say_when(rows)}"
    return f"{table(heads, cells)}\n\n{said}"


def write_cycles() -> str:
    """Cycles of the C engine, by the published timing of its instructions."""
    rows = [row for row in json.loads((FIGURES / "engine.json").read_text("utf-8")) if row["cycles"]]
    heads = ["model", "core", "instructions", "cycles, estimated", "cycles an instruction"]
    cells = [
        [
            Path(row["model"]).stem,
            row["core"],
            _count(row["instructions"]),
            _count(row["cycles"]),
            _ratio(row["cycles"], row["instructions"]),
        ]
        for row in rows
    ]
    return f"{table(heads, cells)}\n\n{_say_when(rows)}"


def write_pruning() -> str:
    """Accuracy at fractions of the dense model's latency, as `scripts/bench_pruning.py` found it."""
    return format_tables(RowFile(FIGURES / "pruning.jsonl").read())


def write_ablations() -> str:
    """What each part of a build is worth."""
    return format_ablations(RowFile(FIGURES / "ablations.jsonl").read())


def write_stored() -> str:
    """What zeros, clusters and channels leave to store, as `scripts/bench_sparsity.py` found it."""
    rows = stored.read_rows(FIGURES / "sparsity.json")
    return f"{stored.format_table(rows)}\n\n{_say_when([asdict(row) for row in rows])}"


def write_low_rank() -> str:
    """Kernels of low rank against channels alone, as `scripts/bench_low_rank.py` found them."""
    rows = low_rank.read_rows(FIGURES / "low_rank.json")
    return f"{low_rank.format_table(rows)}\n\n{_say_when([asdict(row) for row in rows])}"


def write_applications() -> str:
    """Architectures with half of their channels, as `scripts/bench_applications.py` found them."""
    rows = list(applications.read_rows(FIGURES / "applications.json").values())
    return f"{applications.format_table(rows)}\n\n{_say_when(rows)}"


def write_instruction_errors() -> str:
    """How far instructions are off for ops that the fit has not seen, by core and kernels."""
    rows = []
    for path in sorted(DEVICE_TABLES.glob("instructions_*.json")):
        found = json.loads(path.read_text("utf-8"))
        names = ("median_error", "p90_error", "float_median_error", "float_p90_error")
        rows.append([found["core"], found["kernels"], *(_percent(found, name) for name in names)])
    return table(["core", "kernels", "int8, median", "int8, P90", "floats, median", "floats, P90"], rows)


def write_flash_errors() -> str:
    """How far flash is off for projects that were linked, by core and kernels."""
    builds = json.loads((DEVICE_TABLES / "flash.json").read_text("utf-8"))["builds"]
    return table(
        ["build", "largest error"], [[name, _percent(build, "error")] for name, build in builds.items()]
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "engine": write_engine,
    "cycles": write_cycles,
    "pruning": write_pruning,
    "ablations": write_ablations,
    "stored": write_stored,
    "low rank": write_low_rank,
    "applications": write_applications,
    "instruction errors": write_instruction_errors,
    "flash errors": write_flash_errors,
}
"""What stands for each `<!-- table: NAME -->`."""


def _say_when(rows: Sequence[Mapping[str, Any]]) -> str:
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    dates = ", ".join(sorted({row["date"].partition(" ")[0] for row in rows}))
    return f"Commit {commits}, {dates}."


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _ratio(value: float | None, other: float | None) -> str:
    return "" if value is None or not other else f"{value / other:.2f}"


def _percent(found: Mapping[str, Any], name: str) -> str:
    return f"{100 * found[name]:.1f} %" if name in found else ""
