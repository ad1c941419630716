"""The C engine beside TFLM with CMSIS-NN: instructions, flash, RAM, stack of every int8 model on each core.

Ours are read from the image that ran in qemu; TFLM's are those of ../shared/data, counted in the same
emulator (its flash is not in there). Each model on each core is measured once: a second call goes on where
the first one stopped, unless the model or edgeprune's sources for the engine have changed since.

    python scripts/bench_engine.py --output bench_engine [--models resnet8,kws] [--cores Cortex-M7] [--cycles]

writes bench_engine.json, bench_engine.md (the table) and bench_engine.svg (bars: the fraction of TFLM's
instructions). With --cycles, cycles stand beside the instructions: estimated, by the core's published timing.
"""

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import strftime
from typing import Any

from benchmarks.rows import find_commit

from edgeprune.commands.run import run_engine
from edgeprune.device.profile import load_profile
from edgeprune.errors import EdgepruneError
from edgeprune.files import whole_file
from edgeprune.firmware import c as engine_package
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.cycles.estimate import estimate_layers
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.room import find_room
from edgeprune.measuring.runtime import choose_runtime
from edgeprune.report.charts import Bar, draw_bars
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.terminal.progress import watch

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared"
CORES = {
    "Cortex-M0+": "cortex-m0plus",
    "Cortex-M4": "cortex-m4",
    "Cortex-M7": "cortex-m7",
    "Cortex-M33": "cortex-m33",
    "Cortex-M55": "cortex-m55",
}
"""Core → device profile."""
COUNTS = {
    "Cortex-M0+": "instructions_m0p_cmsis",
    "Cortex-M4": "instructions_m4f_o3",
    # Cortex-M33 executes the instructions of a Cortex-M4, and nobody counted TFLM's on it.
    "Cortex-M33": "instructions_m4f_o3",
    "Cortex-M55": "instructions_m55_cmsis",
}
"""Core → column of tflm_model_instructions_by_build.csv."""
ARENAS = {"Cortex-M0+": "arena_used_m0p_cmsis", "Cortex-M55": "arena_used_m55_cmsis"}
"""Core → column of tflm_arena_by_build.csv; the other cores' arena is that of the Cortex-M4."""

MEASURED = ("instructions", "code_bytes", "arena_bytes", "ram_bytes", "stack_bytes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One model on one core; None where there is no number, and `why` says the reason.

    Attributes:
        model, core: which.
        key: hash of the model and of the engine's sources.
        bit_exact: whether every output was that of TFLM's reference kernels.
        instructions: of one inference.
        cycles: that these are estimated to take; None where nobody asked.
        weights_bytes, code_bytes: flash.
        arena_bytes, ram_bytes, stack_bytes: RAM, `ram_bytes` with all of it.
        tflm_instructions, tflm_arena_bytes: of TFLM with CMSIS-NN.
        why: what went wrong.
        commit, date: when it was measured; "" in files that were written before these were kept.
    """

    model: str
    core: str
    key: str
    bit_exact: bool | None = None
    instructions: float | None = None
    cycles: float | None = None
    weights_bytes: float | None = None
    code_bytes: float | None = None
    arena_bytes: float | None = None
    ram_bytes: float | None = None
    stack_bytes: float | None = None
    tflm_instructions: float | None = None
    tflm_arena_bytes: float | None = None
    why: str = ""
    commit: str = ""
    date: str = ""

    @property
    def ratio(self) -> float | None:
        """Our instructions as a fraction of TFLM's."""
        if self.instructions is None or not self.tflm_instructions:
            return None
        return self.instructions / self.tflm_instructions


def main() -> None:
    """Measures what is missing, and writes table, JSON and chart after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=Path("bench_engine"), help="name without an ending")
    parser.add_argument("--models", default="", help="parts of names, separated by commas; all if not given")
    parser.add_argument("--cores", default=",".join(CORES))
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--cycles", action="store_true", help="estimate cycles, too")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit("bench_engine: ../shared, with the models and data, is not beside this checkout")
    cores = arguments.cores.split(",")
    unknown = [core for core in cores if core not in CORES]
    if unknown:
        sys.exit(f"bench_engine: unknown core {unknown[0]}; known: {', '.join(CORES)}")
    wanted = [part for part in arguments.models.split(",") if part]
    files = [f for f in find_models() if not wanted or any(part in str(f) for part in wanted)]
    todo = [(file, core) for file in files for core in cores]
    known = read_rows(arguments.output.with_suffix(".json"))
    tflm = read_tflm()
    with watch() as progress:
        progress.stage("models on cores", total=len(todo))
        for file, core in todo:
            key = find_key(file)
            row = known.get((name_model(file), core))
            if row is None or row.key != key:
                row = measure(file, core, key=key, samples=arguments.samples, tflm=tflm)
            if arguments.cycles and row.cycles is None and not row.why:
                row = replace(row, cycles=estimate_cycles(file, core))
            known[row.model, core] = row
            write_results(arguments.output, list(known.values()))
            progress.advance(detail=f"{short_name(row)} on {core}")
    print(format_table(list(known.values())))


def find_models() -> list[Path]:
    """The int8 models of ../shared, as its manifest lists them."""
    with (SHARED / "models" / "MANIFEST.csv").open(encoding="utf-8") as file:
        names = {row["file"] for row in csv.DictReader(file) if row["file"].endswith(".tflite")}
    return [SHARED / "models" / name for name in sorted(names)]


def name_model(file: Path) -> str:
    """What the data call it."""
    return file.relative_to(SHARED / "models").as_posix()


def find_key(file: Path) -> str:
    """Changes with the model and with the engine."""
    digest = hashlib.sha256(file.read_bytes())
    package = Path(str(engine_package.__file__)).parent
    for source in sorted([*package.rglob("*.py"), *(package.parent / "templates/c").rglob("*.*")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def measure(
    file: Path, core: str, *, key: str, samples: int, tflm: Mapping[tuple[str, str], Mapping[str, float]]
) -> Row:
    """One model on one core; an error becomes a row that says so."""
    theirs = tflm.get((name_model(file), core), {})
    row: dict[str, Any] = {"model": name_model(file), "core": core, "key": key, **theirs}
    row |= {"commit": find_commit(), "date": strftime("%Y-%m-%d")}
    try:
        run = run_engine(file, device=CORES[core], target="qemu", samples=samples)
    except EdgepruneError as error:
        return Row(**row, why=error.what)
    row |= {name: run.figures[name].value for name in MEASURED}
    weights_bytes = (run.figures["flash_bytes"].value or 0) - (row["code_bytes"] or 0)
    return Row(**row, bit_exact=run.bit_exact, weights_bytes=weights_bytes)


def estimate_cycles(file: Path, core: str) -> float:
    """Cycles of one inference, estimated on the image whose instructions `measure` counts."""
    profile = choose_runtime(load_profile(CORES[core]), "c")
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        engine = write_engine(file.read_bytes(), directory=root, core=core, room=find_room(profile))
        inputs = draw_inputs(engine.program.model, samples=1, seed=0)
        layers = estimate_layers(engine, inputs, directory=root / "traced", board=find_board(core))
    return float(sum(layer.cycles for layer in layers))


def read_tflm() -> dict[tuple[str, str], dict[str, float]]:
    """(model, core) → TFLM's figures."""
    found: dict[tuple[str, str], dict[str, float]] = {}

    def note(model: str, core: str, figure: str, value: str | None) -> None:
        if value:
            found.setdefault((model, core), {})[figure] = float(value)

    for line in read_csv("tflm_model_instructions_by_build.csv"):
        for core, column in COUNTS.items():
            note(line["model_file"], core, "tflm_instructions", line[column])
    for line in read_csv("tflm_arena_by_build.csv"):
        for core in CORES:
            column = ARENAS.get(core, "arena_used_m4_cmsis")
            note(line["model_file"], core, "tflm_arena_bytes", line[column])
    for line in read_csv("tflm_cmsis_nn_model_totals.csv"):
        if line["core"] == "cortex-m7":
            note(line["model"], "Cortex-M7", "tflm_instructions", line["instructions"])
    return found


def read_csv(name: str) -> list[dict[str, str]]:
    """The rows of a file of ../shared/data."""
    with (SHARED / "data" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_rows(path: Path) -> dict[tuple[str, str], Row]:
    """(model, core) → the row of an earlier call."""
    if not path.is_file():
        return {}
    rows = [Row(**row) for row in json.loads(path.read_text("utf-8"))]
    return {(row.model, row.core): row for row in rows}


def write_results(output: Path, rows: Sequence[Row]) -> None:
    """JSON, table and chart."""
    texts = {
        ".json": json.dumps([asdict(row) for row in rows], indent=1) + "\n",
        ".md": format_table(rows) + "\n",
        ".svg": draw_chart(rows),
    }
    for ending, text in texts.items():
        with whole_file(output.with_suffix(ending), force=True) as temporary:
            temporary.write_text(text, "utf-8")


def format_table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    names = ["of TFLM's", "cycles (estimated)", "weights", "code", "arena", "TFLM's", "RAM", "stack"]
    head = f"| model | core | instructions | {' | '.join(names)} | exact |"
    lines = [head, "|---|---" + "|--:" * 9 + "|---|"]
    for row in rows:
        cells: list[Any] = [short_name(row), row.core]
        if row.why:
            lines.append(f"| {cells[0]} | {row.core} | {row.why} |" + " |" * 9)
            continue
        cells += [f"{row.instructions:,.0f}", "–" if row.ratio is None else f"{row.ratio:.2f}"]
        numbers = (
            row.cycles,
            row.weights_bytes,
            row.code_bytes,
            row.arena_bytes,
            row.tflm_arena_bytes,
            row.ram_bytes,
            row.stack_bytes,
        )
        cells += ["–" if number is None else f"{number:,.0f}" for number in numbers]
        cells.append("yes" if row.bit_exact else "NO")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def draw_chart(rows: Sequence[Row]) -> str:
    """Bars: instructions as a fraction of TFLM's, with a line at 1."""
    bars = [
        Bar(name=f"{short_name(row)}, {row.core}", value=row.ratio, label=f"{row.ratio:.2f}")
        for row in rows
        if row.ratio is not None
    ]
    title = "Instructions of the C engine as a fraction of TFLM's with CMSIS-NN"
    return draw_bars(bars, title=title, level=1.0, level_name="TFLM")


def short_name(row: Row) -> str:
    """The file's name."""
    return Path(row.model).stem


if __name__ == "__main__":
    main()
