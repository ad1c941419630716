"""Finished runs, one JSON object a line: what was run, at which commit and when, and what came of it.

A run that is in the file is not run again. A line that was cut off by an interruption counts as none.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
AS_GIVEN = "dense, as given"
TUNED = "dense, fine-tuned"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What is run; no two rows of a file have the same.

    Attributes:
        model: a name in `SUBJECTS`.
        method: how the budget is reached.
        budget: name and fraction, "latency:0.5"; "" where none is asked.
        epochs: of training, all in all.
        seed: of everything random.
        device: a profile's id.
        options: what was set besides; see `settings`.
        commit: the last one that changed edgeprune, with "+" where it has changed since.
    """

    model: str
    method: str
    budget: str = ""
    epochs: int
    seed: int = 0
    device: str = "cortex-m7"
    options: Mapping[str, Any] = field(default_factory=dict)
    commit: str

    @property
    def label(self) -> str:
        """Its method as people read it, with what was set besides."""
        return ", ".join([self.method, *(f"{name}={value}" for name, value in self.options.items())])

    def describe(self) -> str:
        """In one line."""
        budget = self.budget or "no budget"
        return f"{self.model}, {self.label}, {budget}, {self.epochs} epochs, seed {self.seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What came of a run.

    Attributes:
        run: what was run.
        metric: what decides; `higher_is_better` says which way.
        value: of the int8 file on the test set; None where there is no file.
        float_value: of the Keras model, likewise.
        figures: of the file, by their names in `FIGURES`; None for what cannot be had.
        widths: layers with weights, in their order, and the size of their outputs' last axis.
        outcome: the verdict, or why there is no file.
        seconds: what it took, and of that each stage.
        stages: stage → seconds.
        date: when it was finished, in UTC.
    """

    run: Run
    metric: str = ""
    higher_is_better: bool = True
    value: float | None = None
    float_value: float | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    outcome: str = ""
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    date: str = ""


class RowFile:
    """The rows of a benchmark, in a file that several processes may add to."""

    def __init__(self, path: Path) -> None:
        """Rows at this path; there need be none yet."""
        self.path = path

    def read(self) -> list[Row]:
        """All rows, in the order in which they were added."""
        if not self.path.exists():
            return []
        return [
            row
            for line in self.path.read_text(encoding="utf-8").splitlines()
            if (row := _parse(line)) is not None
        ]

    def find(self, run: Run) -> Row | None:
        """The row of a run; None where it is still to be done."""
        return next((row for row in self.read() if row.run == run), None)

    def append(self, row: Row) -> None:
        """Adds a row, and closes a line that was cut off before it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self.path.read_bytes() if self.path.exists() else b""
        cut_off = bool(before) and not before.endswith(b"\n")
        line = json.dumps(asdict(row))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut_off else "") + line + "\n")


def _parse(line: str) -> Row | None:
    try:
        values = json.loads(line)
    except json.JSONDecodeError:
        return None
    names = {item.name for item in fields(Row)}
    return Row(**{**{k: v for k, v in values.items() if k in names}, "run": Run(**values["run"])})


def find_commit() -> str:
    """The last commit that changed what is measured, with a "+" where the working tree has changes of it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    measured = ("edgeprune", "device_profiles")
    commit = git("log", "-1", "--format=%h", "--abbrev=10", "--", *measured)
    return commit + ("+" if git("status", "--porcelain", "--", *measured) else "")


def now() -> str:
    """The date and time, in UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
