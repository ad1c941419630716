"""The steps of the build: what became of the metric, and of the budget that was hardest to meet."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from markupsafe import Markup

from edgeprune.report.charts import Panel, Point, draw_both, draw_panel
from edgeprune.report.marks import Mark, draw_key
from edgeprune.report.section import Document, Section
from edgeprune.report.sections.budgets import BUDGET_FIGURES
from edgeprune.units import format_quantity

StepKind = Literal[
    "dense", "dead", "low_rank", "layers", "prune", "recover", "rollback", "final", "zeros", "clusters"
]

MARKS: Mapping[str, Mark] = {
    "dense": Mark(name="dense", shape="ring", look="pale"),
    "dead": Mark(name="dead channels removed", shape="ring", look="dashed"),
    "low_rank": Mark(name="kernels factorised", shape="square", look="hollow"),
    "layers": Mark(name="layers removed", shape="square", look="full"),
    "prune": Mark(name="pruned", shape="dot", look="full"),
    "recover": Mark(name="recovered", shape="dot", look="hollow"),
    "rollback": Mark(name="rolled back", shape="cross", look="bad", joined=False),
    "final": Mark(name="final", shape="target", look="hollow"),
    "zeros": Mark(name="zeros made", shape="diamond", look="full"),
    "clusters": Mark(name="weights clustered", shape="diamond", look="hollow"),
}
"""One for each `StepKind`, in the order of the key."""


class StepPart(TypedDict):
    """One step of the build.

    `accuracy` is the task's metric on validation data; `cost` is by budget name, in the unit of the budget.
    """

    step: int
    kind: StepKind
    epochs: float
    accuracy: float
    cost: dict[str, float]
    params: int
    macs: int
    note: str


def _summarise(report: Document) -> Document:
    steps = report["steps"]
    panels = [panel for panel in (_panel_of_metric(report), _panel_of_cost(report)) if panel is not None]
    numbers = [str(step["step"]) for step in steps]
    drawn = [
        {"title": panel.title, "chart": _draw(panel, numbers if panel is panels[-1] else [])}
        for panel in panels
    ]
    shown = [point.mark for panel in panels for point in panel.points if point.value is not None]
    key = [mark for mark in (*MARKS.values(), *shown) if mark in shown]
    return {
        "steps": steps,
        "panels": drawn,
        "key": [{"mark": draw_key(mark), "name": mark.name} for mark in dict.fromkeys(key)],
    }


def _draw(panel: Panel, names: Sequence[str]) -> Markup:
    return draw_both(lambda width: draw_panel(panel, names=names, width=width))


def _panel_of_metric(report: Document) -> Panel | None:
    values = [(step, step["accuracy"]) for step in report["steps"]]
    if all(value is None for _, value in values):
        return None
    metric = report["task"]["metric"] if report["task"] else "accuracy"
    return Panel(
        title=f"{metric} on validation data",
        unit="",
        points=_place(values, ""),
        level=next((value for step, value in values if step["kind"] == "dense"), None),
        level_name="dense",
        from_zero=False,
    )


def _panel_of_cost(report: Document) -> Panel | None:
    budget = find_hardest(report)
    if budget is None:
        return None
    values = [(step, step["cost"].get(budget["name"])) for step in report["steps"]]
    if all(value is None for _, value in values):
        return None
    return Panel(
        title=f"{budget['name']}, the budget that was hardest to meet",
        unit=budget["unit"],
        points=_place(values, budget["unit"]),
        level=budget["value"],
        level_name="budget",
        from_zero=True,
    )


def mark_of(step: Document) -> Mark:
    """How a step looks. A kind nobody drew a mark for must not cost a finished build its page."""
    return MARKS.get(step["kind"]) or Mark(name=step["kind"], shape="dot", look="full")


def _place(values: Iterable[tuple[Document, float | None]], unit: str) -> list[Point]:
    return [
        Point(
            value=value,
            mark=mark_of(step),
            label=format_quantity(value, unit),
            title=f"step {step['step']} ({step['kind']}, after {step['epochs']:g} epochs): "
            f"{format_quantity(value, unit)}",
        )
        for step, value in values
    ]


def find_hardest(report: Document) -> Document | None:
    """The budget that the dense model broke by the largest factor."""
    factors = [
        ((report["dense"].get(BUDGET_FIGURES[budget["name"]]) or 0.0) / budget["value"], -place)
        for place, budget in enumerate(report["budgets"])
        if budget["value"] and budget["name"] in BUDGET_FIGURES
    ]
    return report["budgets"][-max(factors)[1]] if factors else None


STEPS = Section(reads=("steps", "task", "budgets", "dense"), summarise=_summarise, template="steps.html")
