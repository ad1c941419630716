"""Accuracy against latency as SVG, one drawing per model and number of epochs."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from benchmarks.rows import AS_GIVEN, TUNED, Row
from benchmarks.tables import Entry, gather
from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH
from edgeprune.report.marks import Mark, Shape, draw_mark
from edgeprune.report.markup import Attributes, element, join, read_style

HEIGHT, TOP, BOTTOM, RIGHT = 380.0, 40.0, 46.0, 210.0
LINE_HEIGHT = 20.0
SHAPES: Sequence[Shape] = ("dot", "square", "diamond", "ring", "cross", "target")


def write_plots(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A file for each model and number of epochs with a latency budget; gives back their paths."""
    entries = gather(rows)
    written = []
    for model, epochs in dict.fromkeys((e.run.model, e.run.epochs) for e in entries if _limits_latency(e)):
        chosen = [
            e
            for e in entries
            if e.run.model == model
            and e.run.epochs == epochs
            and e.value is not None
            and (_limits_latency(e) or e.run.method == TUNED)
        ]
        if not any(map(_limits_latency, chosen)):
            continue
        path = folder / f"{model}-{epochs}-epochs.svg"
        path.write_text(str(draw_front(chosen, title=f"{model}, {epochs} epochs")) + "\n", encoding="utf-8")
        written.append(path)
    return written


def draw_front(entries: Sequence[Entry], *, title: str) -> Markup:
    """The drawing: a line for each method, which begins at the dense model."""
    scale = 100.0 if "accuracy" in entries[0].metric else 1.0
    unit = f"{entries[0].metric}, int8" + (" in %" if scale > 1 else "")
    lines = list_lines(entries, scale=scale)
    points = [point for line in lines.values() for point in line]
    across = place_ticks(0.0, max(x for x, _ in points), unit="", from_zero=True)
    values = [y for _, y in points]
    up = place_ticks(min(values), max(values), unit="", from_zero=False)
    plot = Plot(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        across=(across[0], across[-1]),
        up=(up[0], up[-1]),
    )
    parts = [
        element("style", {}, read_style()),
        element("text", {"x": plot.left, "y": 18, "class": "tick strong"}, f"{title}: {unit}"),
        element(
            "text",
            {"x": plot.right_edge, "y": plot.lower_edge + 38, "class": "tick end"},
            "latency in ms",
        ),
        plot.draw_rows(up, unit=""),
        plot.draw_columns(across, unit=""),
    ]
    for place, (name, line) in enumerate(lines.items()):
        parts.append(_draw_line(plot, name, line, place=place))
    return plot.draw(title, *parts, alone=True)


def list_lines(entries: Sequence[Entry], *, scale: float) -> dict[str, list[tuple[float, float]]]:
    """Method → latency and scaled value of its points, from the fastest to the dense model."""
    dense = [_place(e, scale) for e in entries if e.run.method in (TUNED, AS_GIVEN)]
    labels = dict.fromkeys(e.run.label for e in entries if _limits_latency(e))
    return {
        label: sorted([*(_place(e, scale) for e in entries if e.run.label == label), *dense])
        for label in labels
    }


def _draw_line(plot: Plot, name: str, line: Sequence[tuple[float, float]], *, place: int) -> Markup:
    shape = SHAPES[place % len(SHAPES)]
    mark = Mark(name=name, shape=shape, look="full" if shape != "cross" else "bad")
    dashes = None if place == 0 else f"{2 + 3 * place} {1 + place}"
    path: Attributes = {
        "class": "line",
        "points": " ".join(f"{plot.x(x):.2f},{plot.y(y):.2f}" for x, y in line),
        "stroke-dasharray": dashes,
    }
    marks = [
        draw_mark(mark, x=plot.x(x), y=plot.y(y), title=f"{name}: {y:.2f} at {x:.2f} ms") for x, y in line
    ]
    key_y = plot.top + place * LINE_HEIGHT
    key = [
        draw_mark(mark, x=plot.right_edge + 18, y=key_y, title=name),
        element("text", {"x": plot.right_edge + 30, "y": key_y + 4, "class": "tick"}, name),
    ]
    return join([element("polyline", path), *marks, *key])


def _place(entry: Entry, scale: float) -> tuple[float, float]:
    return entry.figure("latency_ms") or 0.0, scale * (entry.value or 0.0)


def _limits_latency(entry: Entry) -> bool:
    return entry.run.budget.startswith("latency:")
