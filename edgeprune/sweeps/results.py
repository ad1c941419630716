"""The results of a sweep, of its rows: `sweep.json`, `sweep.parquet` and `sweep.html`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeprune.errors import DataError
from edgeprune.files import write_file
from edgeprune.progress import Progress
from edgeprune.report.markup import element, join
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.report.schema import format_json
from edgeprune.report.sweep import render_sweep
from edgeprune.sweeps.front import Front, find_fronts
from edgeprune.sweeps.rows import Row, find_rows
from edgeprune.version import __version__

RESULTS = ("sweep.json", "sweep.html", "sweep.parquet")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class SweepResult(Summarized):
    """What a sweep found.

    Attributes:
        folder: where its files are.
        rows: one for each trial and device.
        fronts: accuracy against each cost, by model and device.
    """

    folder: str
    rows: tuple[Row, ...]
    fronts: tuple[Front, ...]

    @property
    def ok(self) -> bool:
        """Whether a build holds all that was asked of it."""
        return any(row.fits for row in self.rows if row.kind == "build")

    @property
    def sentence(self) -> str:
        """How many trials there were, and how many came to nothing."""
        trials = {row.trial for row in self.rows}
        failed = {row.trial for row in self.rows if row.accuracy is None}
        lost = f", {len(failed)} of them without a result" if failed else ""
        fronts = f"{len(self.fronts)} front{'s' * (len(self.fronts) != 1)}"
        return f"{len(trials)} trials{lost}, {fronts}."

    def to_json(self) -> dict[str, Any]:
        """`sweep.json`, and the document of `sweep --json`."""
        return {
            "schema": 1,
            "edgeprune": __version__,
            "title": "Sweep: accuracy against budgets",
            "sentence": self.sentence,
            "ok": self.ok,
            "fronts": [front.to_json() for front in self.fronts],
            "rows": [row.to_json() for row in self.rows],
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(self.sentence)

    def _repr_html_(self) -> str:
        return element("div", {}, join(element("p", {}, front.sentence) for front in self.fronts))


def gather(rows: Sequence[Row], *, folder: str) -> SweepResult:
    """The result that rows make."""
    return SweepResult(folder=folder, rows=tuple(rows), fronts=tuple(find_fronts(rows)))


def write_results(result: SweepResult, folder: Path, *, progress: Progress) -> None:
    """Writes the three files, each whole or not at all; the table only where pyarrow is installed."""
    document = result.to_json()
    write_file(folder / "sweep.json", format_json(document).encode() + b"\n", force=True)
    write_file(folder / "sweep.html", render_sweep(document).encode(), force=True)
    if find_spec("pyarrow") is None:
        progress.note(
            "sweep.parquet is left out: pip install 'edgeprune[sweep]' brings pyarrow, which writes it"
        )
        return
    write_file(folder / "sweep.parquet", _make_table([row.to_record() for row in result.rows]), force=True)


def front(folders: Sequence[Path], *, output: Path, progress: Progress) -> SweepResult:
    """The results of any builds, in a folder; neither Ray nor TensorFlow is needed.

    Args:
        folders: of sweeps, or outputs of builds, however deep.
        output: the folder to write to.
        progress: is told what is left out.

    Raises:
        DataError: there is no result in them.
        InputError: one is damaged.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError("there is no such folder", where=str(folder), fix="check the path")
    rows = list(find_rows(folders, root=output))
    if not rows:
        raise DataError(
            "there are no builds in them",
            where=", ".join(map(str, folders)),
            fix="give outputs of 'edgeprune build', or folders that they are in",
        )
    result = gather(rows, folder=str(output))
    output.mkdir(parents=True, exist_ok=True)
    write_results(result, output, progress=progress)
    return result


def _make_table(records: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    columns = {name: [record[name] for record in records] for name in records[0]}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
