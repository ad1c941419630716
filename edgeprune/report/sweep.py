"""The page of a sweep: accuracy against what it costs, front by front, what to take, and every trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from edgeprune.config.budgets import BUDGETS, BudgetKind
from edgeprune.report.axes import LETTER_WIDTH, Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH, draw_both
from edgeprune.report.marks import Mark, draw_key, draw_mark
from edgeprune.report.markup import Attributes, element
from edgeprune.report.page import render
from edgeprune.report.section import Document
from edgeprune.units import NOTHING, format_quantity, format_setting

_HEIGHT = 320.0
_NAMED_AT_MOST = 24
"""Points of a chart that have their budget beside them."""
_LABEL_BELOW, _RIGHT = 14.0, 40.0
_MARKS = {
    "front": Mark(name="on the front", shape="dot", look="full"),
    "tied": Mark(name="tied with one on the front", shape="ring", look="hollow"),
    "behind": Mark(name="behind the front", shape="ring", look="pale"),
    "reference": Mark(name="dense, fine-tuned", shape="diamond", look="hollow"),
}


def render_sweep(document: Document) -> str:
    """`sweep.html`.

    Args:
        document: `sweep.json`.
    """
    fronts = [_describe_front(front) for front in document["fronts"]]
    variables = {
        "title": document["title"],
        "sentence": document["sentence"],
        "fronts": fronts,
        "keys": [{"mark": draw_key(mark), "name": mark.name} for mark in _MARKS.values()],
        "columns": _COLUMNS,
        "rows": [_describe_row(row) for row in document["rows"]],
    }
    return render("sweep.html", variables)


def _describe_front(front: Document) -> dict[str, Any]:
    kind = BUDGETS[front["cost"]]
    points = front["points"]
    names = {point["trials"][0]: point["name"] for point in points}
    metric = points[0]["metric"] if points else "metric"
    return {
        "title": f"{front['model']} on {front['device']}",
        "caption": f"{metric} of the file against {kind.label}",
        "sentence": front["sentence"],
        "chart": draw_both(lambda width: _draw_front(points, kind, width=width)),
        "points": [_describe_point(point, kind, names, taken=front["taken"]) for point in points],
        "cost": kind.label,
        "metric": metric,
    }


def _describe_point(
    point: Document, kind: BudgetKind, names: Mapping[str, str], *, taken: str | None
) -> dict[str, Any]:
    return {
        "name": point["name"],
        "cost": format_quantity(point["figures"][kind.figure], kind.unit),
        "accuracy": _format_spread(point["accuracy"]),
        "drop": _format_spread(point["drop"]),
        "seeds": point["seeds"],
        "fits": NOTHING if point["kind"] == "reference" else f"{point['fits']} of {point['seeds']}",
        "place": "taken" if point["trials"][0] == taken else _say_place(point, names),
        "is_taken": point["trials"][0] == taken,
        "report": point["report"],
    }


def _say_place(point: Document, names: Mapping[str, str]) -> str:
    mark = _choose_mark(point)
    if mark == "reference" or not point["ties"]:
        return _MARKS[mark].name
    tied = f"tied with {names[point['ties'][0]]}"  # the cheapest
    return f"{_MARKS[mark].name}, {tied}" if mark == "front" else tied


def _format_spread(spread: Document) -> str:
    if spread["deviation"] is None:
        return f"{spread['mean']:.4f}"
    return f"{spread['mean']:.4f} ± {spread['deviation']:.4f}"


def _choose_mark(point: Document) -> str:
    if point["kind"] == "reference":
        return "reference"
    return "front" if point["on_front"] else "tied" if point["ties"] else "behind"


def _draw_front(points: Sequence[Document], kind: BudgetKind, *, width: float) -> Markup:
    """Points with error bars over their seeds, and a line along the front."""
    figure, unit = kind.figure, kind.unit
    ends = [_reach(point["accuracy"]) for point in points]
    costs = [point["figures"][figure] for point in points]
    across = place_ticks(min(costs), max(costs), unit=unit, from_zero=False)
    up = place_ticks(min(low for low, _ in ends), max(high for _, high in ends), unit="", from_zero=False)
    plot = Plot(
        width=width,
        height=_HEIGHT,
        left=LEFT if width == WIDTH else 52.0,
        right=_RIGHT,
        top=16.0,
        bottom=36.0,
        across=(across[0], across[-1]),
        up=(up[0], up[-1]),
    )
    line = " ".join(
        f"{plot.x(point['figures'][figure]):.2f},{plot.y(point['accuracy']['mean']):.2f}"
        for point in points
        if point["on_front"]
    )
    parts = [plot.draw_rows(up, unit=""), plot.draw_columns(across, unit=unit)]
    parts.append(element("polyline", {"class": "line", "points": line}))
    marks = [(plot.x(point["figures"][figure]), plot.y(point["accuracy"]["mean"])) for point in points]
    names: list[Markup] = []
    labels: list[tuple[float, float]] = []
    for point, (low, high) in zip(points, ends, strict=True):
        x, y = plot.x(point["figures"][figure]), plot.y(point["accuracy"]["mean"])
        bar: Attributes = {"class": "error-bar", "x1": x, "x2": x, "y1": plot.y(low), "y2": plot.y(high)}
        cost = format_quantity(point["figures"][figure], unit)
        title = f"{point['name']}: {_format_spread(point['accuracy'])}, {cost}"
        parts += [element("line", bar), draw_mark(_MARKS[_choose_mark(point)], x=x, y=y, title=title)]
        asked = point["budgets"].get(kind.key)
        if asked is not None and len(points) <= _NAMED_AT_MOST:
            text = f"≤ {format_quantity(asked * kind.scale, unit)}"
            names += _name_point(text, plot, x=x, y=y, marks=marks, taken=labels)
    return plot.draw("accuracy against cost", *parts, *names)


def _name_point(
    text: str,
    plot: Plot,
    *,
    x: float,
    y: float,
    marks: Sequence[tuple[float, float]],
    taken: list[tuple[float, float]],
) -> list[Markup]:
    """The text beside a point: below or above it, left or right; nothing where others are all around.

    Args:
        text: what it says.
        plot: where the point is drawn.
        x: of the point, in pixels.
        y: of the point, in pixels.
        marks: all points.
        taken: where texts of about the same width begin and their baselines; the new one is added.
    """
    width = LETTER_WIDTH * len(text)
    for left in (x + 8, x - 8 - width):
        for base in (y + _LABEL_BELOW, y - 8):
            is_inside = plot.left < left and left + width < plot.width and plot.top < base < plot.lower_edge
            is_free = all(abs(left - a) > width or abs(base - b) >= _LABEL_BELOW for a, b in taken)
            is_free &= not any(left - 5 < a < left + width + 5 and base - 15 < b < base + 5 for a, b in marks)
            if is_inside and is_free:
                taken.append((left, base))
                return [element("text", {"class": "tick", "x": left, "y": base}, text)]
    return []


def _reach(spread: Document) -> tuple[float, float]:
    deviation = spread["deviation"] or 0.0
    return spread["mean"] - deviation, spread["mean"] + deviation


_COLUMNS = (
    *("model", "device", "asked", "seed", "file", "float", *(kind.label for kind in BUDGETS.values())),
    *("epochs", "seconds", "fits", "report"),
)


def _describe_row(row: Document) -> list[dict[str, Any]]:
    """Cells of the table: what is shown, what it is sorted by, and its class."""
    asked = [f"{key.rpartition('_')[0]} {value:g}" for key, value in row["budgets"].items()]
    asked += map(format_setting, row["settings"].items())
    figures = {kind: (row["figures"].get(kind.figure) or {}).get("value") for kind in BUDGETS.values()}
    what = {"build": row["model"], "reference": f"{row['model']}, dense, fine-tuned"}[row["kind"]]
    verdict = "yes" if row["fits"] else "no" if row["exit"] in (0, 1) else row["said"]
    return [
        _cell(what),
        _cell(row["device"]),
        _cell(", ".join(asked) or NOTHING),
        _number(row["seed"], "d"),
        _number(row["accuracy"], ".4f"),
        _number(row["float_accuracy"], ".4f"),
        *(
            {"text": format_quantity(value, kind.unit), "sort": value, "is_number": True, "link": ""}
            for kind, value in figures.items()
        ),
        _number(row["epochs"], ".3g"),
        _number(row["seconds"], ".0f"),
        _cell(verdict),
        _cell("report" if row["report"] else NOTHING, link=row["report"]),
    ]


def _cell(text: str, *, link: str = "") -> dict[str, Any]:
    return {"text": text, "sort": None, "is_number": False, "link": link}


def _number(value: float | None, digits: str) -> dict[str, Any]:
    text = NOTHING if value is None else format(value, digits)
    return {"text": text, "sort": value, "is_number": True, "link": ""}
