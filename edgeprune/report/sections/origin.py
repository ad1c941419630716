"""Where it comes from: model, data, task, and everything that was chosen."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from edgeprune.report.section import Document, Section
from edgeprune.units import NOTHING, format_quantity


class ModelPart(TypedDict):
    """What was pruned. `source` is the file, or what made the model; `sha256` is of the file, "" if none."""

    name: str
    source: str
    sha256: str


class RangePart(TypedDict):
    """The values seen in one input of the model, before the model's own preprocessing."""

    input: str
    min: float
    max: float
    dtype: str


class DataPart(TypedDict):
    """What it was pruned with. `counts` are samples, by "train", "val" and "test"."""

    source: str
    notes: list[str]
    ranges: list[RangePart]
    counts: dict[str, int]


class MetricPart(TypedDict):
    """One metric on the test set.

    `drop` is how much worse the pruned file is than the dense model, in the metric's own unit, and
    `relative_drop` the same as a part of the dense model's; None where that is 0.
    """

    name: str
    higher_is_better: bool
    dense_float: float
    dense: float
    pruned_float: float
    pruned: float
    drop: float
    relative_drop: float | None


class TaskPart(TypedDict):
    """What counts as good. `origin` is a sentence that says where loss and metric come from."""

    loss: str
    metric: str
    higher_is_better: bool
    origin: str
    metrics: NotRequired[list[MetricPart]]


class OpPart(TypedDict):
    """How often an op occurs in the artefact."""

    op: str
    count: int


def _summarise(report: Document) -> Document:
    """Blocks of names and values, as `title` and `entries`."""
    model, data, task = report["model"], report["data"], report["task"]
    settings = {name: _format_setting(value) for name, value in report["settings"].items()}
    budgets = {
        budget["name"]: f"{format_quantity(budget['value'], budget['unit'])}, from {budget['origin']}"
        for budget in report["budgets"]
    }
    blocks = {
        "Model": {"source": model["source"], "SHA-256": model["sha256"]},
        "Data": _describe_data(data) if data else {},
        "Task": _describe_task(task) if task else {},
        "Budgets": budgets,
        "Settings": {**settings, "seed": str(report["seed"])},
        "Ops of the artefact": {item["op"]: str(item["count"]) for item in report["ops"]},
        "Versions": {"edgeprune": report["edgeprune"], **report["versions"]},
    }
    return {"blocks": [{"title": title, "entries": entries} for title, entries in blocks.items()]}


def _describe_data(data: DataPart) -> dict[str, str]:
    ranges = {
        f"input {found['input']}": f"{found['min']:g} to {found['max']:g}, {found['dtype']}"
        for found in data["ranges"]
    }
    notes = {f"note {i}" if i > 1 else "note": note for i, note in enumerate(data["notes"], start=1)}
    counts = ", ".join(f"{count} {name}" for name, count in data["counts"].items())
    return {"source": data["source"], "samples": counts, **ranges, **notes}


def _describe_task(task: TaskPart) -> dict[str, str]:
    direction = "higher is better" if task["higher_is_better"] else "lower is better"
    metrics = {part["name"]: _describe_metric(part) for part in task.get("metrics", [])}
    return {
        "loss": task["loss"],
        "metric": f"{task['metric']}, {direction}",
        "origin": task["origin"],
        **metrics,
    }


def _describe_metric(part: MetricPart) -> str:
    said = f"{part['dense_float']:.4g} dense, {part['pruned']:.4g} pruned and quantized: "
    said += f"{abs(part['drop']):.4g} {'worse' if part['drop'] > 0 else 'better'}"
    if part["relative_drop"] is not None and not part["higher_is_better"]:
        said += f" ({abs(part['relative_drop']):.1%} of it)"
    return said


def _format_setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)


ORIGIN = Section(
    reads=("model", "data", "task", "budgets", "settings", "seed", "ops", "edgeprune", "versions"),
    summarise=_summarise,
    template="origin.html",
)
