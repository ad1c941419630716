"""The metric against the cost, step by step: the way of the build from the dense to the final model."""

from collections.abc import Sequence

from markupsafe import Markup

from edgeprune.config.budgets import BUDGETS
from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH, draw_both
from edgeprune.report.marks import draw_key, draw_mark
from edgeprune.report.markup import Attributes, element
from edgeprune.report.section import Document, Section
from edgeprune.report.sections.steps import find_hardest, mark_of
from edgeprune.units import format_quantity

_HEIGHT, _PREFERRED = 300.0, "latency"
_LABEL_WIDTH = 64.0
"""What the name of a point at the right edge takes, in pixels."""


def _summarise(report: Document) -> Document | None:
    name = _choose_cost(report)
    steps = [step for step in report["steps"] if step["accuracy"] is not None and name in step["cost"]]
    if len(steps) < 2:
        return None
    limit = next((budget["value"] for budget in report["budgets"] if budget["name"] == name), None)
    metric = report["task"]["metric"] if report["task"] else "accuracy"
    label = BUDGETS[name].label
    shown = dict.fromkeys(mark_of(step) for step in steps)
    return {
        "caption": f"{metric} on validation data against {label}",
        "chart": draw_both(lambda width: _draw(steps, name=name, limit=limit, width=width)),
        "cost": label,
        "metric": metric,
        "key": [{"mark": draw_key(mark), "name": mark.name} for mark in shown],
    }


def _choose_cost(report: Document) -> str:
    """The budget whose cost is drawn: latency where the steps know it, else the hardest to meet."""
    if any(_PREFERRED in step["cost"] for step in report["steps"]):
        return _PREFERRED
    hardest = find_hardest(report)
    return hardest["name"] if hardest else _PREFERRED


def _draw(steps: Sequence[Document], *, name: str, limit: float | None, width: float) -> Markup:
    unit = BUDGETS[name].unit
    costs, values = [step["cost"][name] for step in steps], [step["accuracy"] for step in steps]
    # A collapse that was rolled back must not flatten the rest; it is drawn at the edge.
    kept = [step["accuracy"] for step in steps if mark_of(step).joined] or values
    levels = [] if limit is None else [limit]
    across = place_ticks(min(costs + levels), max(costs + levels), unit=unit, from_zero=False)
    up = place_ticks(min(kept), max(kept), unit="", from_zero=False)
    plot = Plot(
        width=width,
        height=_HEIGHT,
        left=LEFT if width == WIDTH else 52.0,
        right=24.0,
        top=26.0,
        bottom=34.0,
        across=(across[0], across[-1]),
        up=(up[0], up[-1]),
    )
    parts = [plot.draw_rows(up, unit=""), plot.draw_columns(across, unit=unit)]
    if limit is not None:
        place: Attributes = {"x": plot.x(limit), "y": plot.top - 8, "class": _level_class(plot, limit)}
        text = f"budget {format_quantity(limit, unit)}"
        parts += [plot.draw_line(x=plot.x(limit), kind="level"), element("text", place, text)]
    path = " ".join(
        f"{plot.x(step['cost'][name]):.2f},{plot.y(step['accuracy']):.2f}"
        for step in steps
        if mark_of(step).joined
    )
    parts.append(element("polyline", {"class": "line", "points": path}))
    for step in steps:
        cost, value = step["cost"][name], step["accuracy"]
        title = f"step {step['step']} ({step['kind']}): {value:.4f}, {format_quantity(cost, unit)}"
        parts.append(draw_mark(mark_of(step), x=plot.x(cost), y=plot.y(value), title=title))
    return plot.draw(f"{len(steps)} steps from the dense to the final model", *parts)


def _level_class(plot: Plot, limit: float) -> str:
    """Where the budget's name stands: before its line where there is no room after it."""
    x = plot.x(limit)
    side = (
        "start" if x < plot.left + _LABEL_WIDTH else "end" if x > plot.right_edge - _LABEL_WIDTH else "middle"
    )
    return f"tick level-name {side}"


TRADEOFF = Section(
    reads=("steps", "task", "budgets", "dense"), summarise=_summarise, template="tradeoff.html"
)
