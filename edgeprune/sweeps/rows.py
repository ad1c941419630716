"""A row for each trial: what was asked, what came of it, and where each number comes from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.figures import FIGURES
from edgeprune.errors import InputError
from edgeprune.report.schema import Report

TRIAL_FILE = "trial.json"
"""What a trial that has ended leaves in its folder; a folder without it is not finished."""
REPORT, MANIFEST = "report.json", "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One trial on one device.

    Attributes:
        trial: its name.
        kind: "build", "reference" (the dense model, fine-tuned), or "dense" (as given).
        model, data, device: what was asked.
        budgets: key → limit, of those that were asked for.
        settings: what is varied.
        seed: of everything random.
        metric: what decides; "" where the trial did not get so far.
        higher_is_better: of the metric.
        accuracy, float_accuracy: the metric of the file, and of the Keras model, on test samples.
        dense_accuracy: of the file of the dense model as it was given.
        figures: name → value, source, low and high, as `Figure.to_json` gives them.
        epochs: of recovery.
        fits: whether all checks hold.
        exit: as of 'edgeprune build'; None where the trial was stopped early.
        said: the verdict, or the error.
        seconds: that the attempt took which ended it.
        attempts: how often it was begun.
        node: the machine, as Ray knows it.
        report: path of its page, from the folder of the sweep; "" where there is none.
    """

    trial: str
    kind: str
    model: str
    data: str = ""
    device: str
    budgets: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    metric: str = ""
    higher_is_better: bool = True
    accuracy: float | None = None
    float_accuracy: float | None = None
    dense_accuracy: float | None = None
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    epochs: float | None = None
    fits: bool = False
    exit: int | None = None
    said: str = ""
    seconds: float | None = None
    attempts: int = 1
    node: str = ""
    report: str = ""

    def value(self, figure: str) -> float | None:
        """Of a figure; None where it is not known."""
        found = self.figures.get(figure)
        return None if found is None else found["value"]

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return asdict(self)

    def to_record(self) -> dict[str, Any]:
        """As a row of a table: plain columns, the provenance of each figure beside it."""
        record = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in ("budgets", "settings", "figures")
        }
        record |= {f"budget_{kind.key}": self.budgets.get(kind.key) for kind in BUDGETS.values()}
        record["settings"] = json.dumps(dict(self.settings), sort_keys=True)
        for name in FIGURES:
            found = self.figures.get(name, {})
            record.setdefault(name, found.get("value"))
            record |= {f"{name}_{part}": found.get(part) for part in ("low", "high", "source")}
        return record


def describe_trial(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial asks for, as fields of its rows; `trial` is as `Trial.to_json` gives it."""
    request = trial["request"]
    return {
        "trial": trial["name"],
        "kind": trial["kind"],
        "model": Path(request.get("model") or "example").stem,
        "data": request.get("data", ""),
        "budgets": {kind.key: request[kind.key] for kind in BUDGETS.values() if kind.key in request},
        "settings": trial["settings"],
        "seed": request["seed"],
    }


def read_row(document: Mapping[str, Any]) -> Row:
    """The row of which `to_json` made a document; keys of another version are passed over."""
    known = {item.name for item in fields(Row)}
    return Row(**{key: value for key, value in document.items() if key in known})


def describe_build(report: Report, asked: Mapping[str, Any]) -> Row:
    """The row of a build, by its report.

    Args:
        report: what came of it.
        asked: the other fields of the row.
    """
    task, steps = report.task, report.steps
    return Row(
        device=report.device["id"],
        metric=task["metric"] if task else "",
        higher_is_better=task["higher_is_better"] if task else True,
        accuracy=report.pruned.get("accuracy"),
        float_accuracy=report.pruned.get("float_accuracy"),
        dense_accuracy=report.dense.get("accuracy"),
        figures=report.provenance["pruned"],
        epochs=steps[-1]["epochs"] if steps else None,
        fits=report.verdict,
        exit=0 if report.verdict else 1,
        said=report.sentence,
        **asked,
    )


def read_output(folder: Path, *, root: Path) -> Row:
    """The row of an output directory of `build`, whoever asked for it.

    Args:
        folder: with its report and manifest.
        root: what links of the page begin from.

    Raises:
        InputError: it is no such directory, or damaged.
    """
    try:
        report = Report.from_json(json.loads((folder / REPORT).read_bytes()))
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("is no output of 'edgeprune build'", where=str(folder), why=str(error)) from error
    request = manifest.get("request", {})
    keys = [kind.key for kind in BUDGETS.values()]
    asked = {
        "trial": folder.name,
        "kind": "reference" if request.get("only_fine_tune") else "build",
        "model": Path(report.model["source"]).stem,
        "data": str(request.get("data", "")),
        "budgets": {key: request[key] for key in keys if key in request},
        "seed": report.seed,
        "report": _link(folder / "report.html", root),
    }
    return describe_build(report, asked)


def find_rows(folders: Sequence[Path], *, root: Path) -> Iterator[Row]:
    """The rows of all finished trials and outputs of builds in these folders, however deep.

    Args:
        folders: of sweeps, or outputs of builds.
        root: what links of the page begin from.

    Raises:
        InputError: an output is damaged.
    """
    for folder in folders:
        ended = sorted(folder.rglob(TRIAL_FILE))
        for file in ended:
            yield from read_trial(file, root=root)
        for manifest in sorted(folder.rglob(MANIFEST)):
            place = manifest.parent
            of_a_trial = any((parent / TRIAL_FILE).exists() for parent in place.parents)
            unfinished = any(part.endswith(".edgeprune-work") for part in place.parts)
            if not of_a_trial and not unfinished and (place / REPORT).exists():
                yield read_output(place, root=root)


def read_trial(file: Path, *, root: Path) -> list[Row]:
    """The rows that a trial's file holds. Raises InputError where it is damaged."""
    try:
        rows = [read_row(row) for row in json.loads(file.read_bytes())["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("is no record of a trial", where=str(file), why=str(error)) from error
    return [_place(row, file.parent, root) for row in rows]


def _place(row: Row, folder: Path, root: Path) -> Row:
    page = folder / row.report
    return read_row({**row.to_json(), "report": _link(page, root) if row.report else ""})


def _link(page: Path, root: Path) -> str:
    page, root = page.resolve(), root.resolve()
    if not page.exists():
        return ""
    return page.relative_to(root).as_posix() if page.is_relative_to(root) else page.as_uri()
