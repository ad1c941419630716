"""The charts of `report.html` and of benchmarks: bars against budgets, before and after, and lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune.report.markup import Attributes, Markup, element, join, read_style
from edgeprune.units import format_quantity

_WIDTH, _HEIGHT = 900.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 124.0, 14.0, 12.0
_KIB = 1024.0
_LEAST_LABEL_GAP = 14.0
_BAR_NAMES, _BAR_TOP, _BAR_PITCH = 300.0, 44.0, 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One point of a line.

    Attributes:
        value: None where there is no number; the line skips it.
        kind: a step's kind; decides the marker.
        label: the value as text.
        title: shown when the pointer rests on it.
    """

    value: float | None
    kind: str
    label: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One line chart; panels of the same number of points stand aligned below each other.

    Attributes:
        title: above the chart, with the unit where there is one.
        unit: "bytes", "ms" or "".
        points: one per step.
        level: a horizontal line: a budget, or the dense model's value.
        level_name: what that line is called.
        from_zero: whether the axis starts at 0; for costs, whose bars and ratios matter.
    """

    title: str
    unit: str
    points: Sequence[Point]
    level: float | None
    level_name: str
    from_zero: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar: its name on the left, its value, and the value as text at its end."""

    name: str
    value: float
    label: str


def draw_bars(bars: Sequence[Bar], *, title: str, level: float, level_name: str) -> Markup:
    """Horizontal bars below one another as an SVG that stands alone.

    Args:
        bars: from top to bottom.
        title: what the values are.
        level: a vertical line.
        level_name: what it stands for.
    """
    top = max([level, *(bar.value for bar in bars)]) * 1.05
    inner = _WIDTH - _BAR_NAMES - _RIGHT / 2
    height = _BAR_TOP + _BAR_PITCH * len(bars) + _BOTTOM
    parts = [
        element("style", {}, Markup(read_style())),
        element("text", {"x": _BAR_NAMES, "y": 16, "class": "tick strong"}, title),
    ]
    for place, bar in enumerate(bars):
        y = _BAR_TOP + place * _BAR_PITCH
        width = inner * bar.value / top
        thick = _BAR_PITCH - 6
        parts += [
            element("text", {"x": _BAR_NAMES - 8, "y": y + thick - 2, "class": "tick end"}, bar.name),
            element("rect", {"class": "block", "x": _BAR_NAMES, "y": y, "width": width, "height": thick}),
            element("text", {"x": _BAR_NAMES + width + 6, "y": y + thick - 2, "class": "tick"}, bar.label),
        ]
    x = _BAR_NAMES + inner * level / top
    line: Attributes = {"class": "level", "x1": x, "x2": x, "y1": _BAR_TOP - 6, "y2": height - _BOTTOM}
    name = element("text", {"x": x + 4, "y": _BAR_TOP - 8, "class": "tick level-name"}, level_name)
    frame: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {_WIDTH:.0f} {height:.0f}",
        "role": "img",
        "aria-label": title,
    }
    return element("svg", frame, *parts, element("line", line), name)


def draw_budget_bar(
    *, value: float, between: tuple[float, float] | None, dense: float | None, budget: float, ok: bool
) -> Markup:
    """A bar up to the value, a tick at the budget, a hollow marker at the dense model's value.

    Args:
        value: what the artefact costs.
        between: the interval of an estimate, drawn as a thin line; None where there is none.
        dense: what the dense model costs; None where that is not known.
        budget: what is allowed, all in the same unit.
        ok: whether the budget holds.
    """
    low, high = between or (value, value)
    top = max(high, value, dense or 0.0, budget) * 1.04 or 1.0
    parts = [element("div", {"class": "fill" if ok else "fill broken", "style": _width(value / top)})]
    if between is not None:
        span = f"{_left(low / top)};{_width((high - low) / top)}"
        parts.append(element("div", {"class": "between", "style": span}))
    if dense is not None:
        parts.append(element("div", {"class": "ghost", "style": _left(dense / top)}))
    parts.append(element("div", {"class": "limit", "style": _left(budget / top)}))
    return element("div", {"class": "track", "aria-hidden": "true"}, *parts)


def draw_before_after(*, before: float, after: float, top: float) -> Markup:
    """Two bars in one: pale up to `before`, full up to `after`; `top` fills the width."""
    top = top or 1.0
    return element(
        "div",
        {"class": "pair", "aria-hidden": "true"},
        element("div", {"class": "before", "style": _width(before / top)}),
        element("div", {"class": "after", "style": _width(after / top)}),
    )


def draw_panel(panel: Panel, *, labels: Sequence[str]) -> Markup:
    """A line chart as SVG.

    Args:
        panel: what to draw.
        labels: text below each point of the x axis; empty for a panel that has another one below it.
    """
    # A collapse that was rolled back must not flatten the rest of the line; it is drawn at the edge.
    known = [p.value for p in panel.points if p.value is not None and p.kind != "rollback"] or [0.0]
    levels = [panel.level] if panel.level is not None else []
    ticks = place_ticks(min(known + levels), max(known + levels), unit=panel.unit, from_zero=panel.from_zero)
    height = _HEIGHT + (26.0 if labels else 0.0)
    parts = [_draw_grid(ticks, panel.unit)]
    if panel.level is not None:
        parts.append(_draw_level(panel, ticks))
    parts += [_draw_line(panel, ticks), *_draw_labels(labels)]
    svg = element(
        "svg",
        {"viewBox": f"0 0 {_WIDTH:.0f} {height:.0f}", "role": "img", "aria-label": panel.title},
        *parts,
    )
    return element("figure", {}, element("figcaption", {}, panel.title), svg)


_NARROWEST = 1e-9
"""Half the height of an axis on which all values are zero, or as good as zero."""


def place_ticks(low: float, high: float, *, unit: str, from_zero: bool) -> list[float]:
    """Round numbers, three to six of them, that enclose low..high; bytes are round in KiB."""
    scale = _KIB if unit == "bytes" else 1.0
    low, high = (0.0 if from_zero else low / scale), high / scale
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = (edge + sign * max(0.5 * abs(edge), _NARROWEST) for edge, sign in ((low, -1), (high, 1)))
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) * scale for i in range(first, last + 1)]


def _draw_grid(ticks: Sequence[float], unit: str) -> Markup:
    parts = []
    for tick in ticks:
        y = _y(tick, ticks)
        parts.append(element("line", {"class": "grid", "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y, "y2": y}))
        label = f"{tick:g}" if unit == "" else format_quantity(tick, unit)
        parts.append(element("text", {"x": _LEFT - 10, "y": y + 4, "class": "tick end"}, label))
    return join(parts)


def _draw_level(panel: Panel, ticks: Sequence[float]) -> Markup:
    assert panel.level is not None
    y = _y(panel.level, ticks)
    last = next((p.value for p in reversed(panel.points) if p.value is not None), None)
    text_y = y + 4
    if last is not None and abs(_y(last, ticks) - y) < _LEAST_LABEL_GAP:
        # Keep clear of the label of the last point, which stands at the same place.
        text_y += _LEAST_LABEL_GAP if _y(last, ticks) <= y else -_LEAST_LABEL_GAP
    line: Attributes = {"class": "level", "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y, "y2": y}
    text = f"{panel.level_name} {format_quantity(panel.level, panel.unit)}"
    return join(
        [
            element("line", line),
            element("text", {"x": _WIDTH - _RIGHT + 8, "y": text_y, "class": "tick level-name"}, text),
        ]
    )


def _draw_line(panel: Panel, ticks: Sequence[float]) -> Markup:
    places = [
        (_x(i, len(panel.points)), _y(point.value, ticks), point)
        for i, point in enumerate(panel.points)
        if point.value is not None
    ]
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y, point in places if point.kind != "rollback")
    parts = [element("polyline", {"class": "line", "points": path})]
    parts += [_draw_marker(x, y, point) for x, y, point in places]
    if places:
        _, y, point = places[-1]
        parts.append(
            element("text", {"x": _WIDTH - _RIGHT + 8, "y": y + 4, "class": "tick strong"}, point.label)
        )
    return join(parts)


def _draw_marker(x: float, y: float, point: Point) -> Markup:
    title = element("title", {}, point.title)
    if point.kind == "rollback":
        path = f"M{x - 4:.2f} {y - 4:.2f}l8 8m0 -8l-8 8"
        cross = element("path", {"class": "mark rollback", "d": path}, title)
        off = point.label if y >= _HEIGHT - _BOTTOM else ""
        return join([cross, element("text", {"class": "tick", "x": x + 8, "y": y + 4}, off)])
    radius = 4.5 if point.kind in ("dense", "final") else 3.5
    return element("circle", {"class": f"mark {point.kind}", "cx": x, "cy": y, "r": radius}, title)


def _draw_labels(labels: Sequence[str]) -> list[Markup]:
    every = max(1, math.ceil(len(labels) / 18))
    return [
        element("text", {"x": _x(i, len(labels)), "y": _HEIGHT + 16, "class": "tick middle"}, label)
        for i, label in enumerate(labels)
        if i % every == 0 or i == len(labels) - 1
    ]


def _x(index: int, count: int) -> float:
    inner = _WIDTH - _LEFT - _RIGHT - 20
    return _LEFT + 10 + (inner * index / (count - 1) if count > 1 else inner / 2)


def _y(value: float, ticks: Sequence[float]) -> float:
    share = min(max((value - ticks[0]) / (ticks[-1] - ticks[0]), 0.0), 1.0)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _width(share: float) -> str:
    return f"width:{_percent(share)}%"


def _left(share: float) -> str:
    return f"left:{_percent(share)}%"


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.2f}"
