"""The charts of pages and benchmarks: lines with a level, bars, and a path through two dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.marks import Mark, draw_mark
from edgeprune.report.markup import Attributes, element, join, read_style
from edgeprune.units import format_quantity

WIDTH, NARROW = 900.0, 360.0
"""Of every chart, in pixels of its drawing, on a wide page and on a phone's; pages scale it."""
LEFT = 74.0
"""Of every chart whose axis stands on the left: room for its ticks."""

_LINES_HEIGHT, _LINES_TOP, _NAMES_HEIGHT = 196.0, 20.0, 26.0
_LINES_RIGHT = 124.0
_LEAST_LABEL_GAP = 14.0
_SIDE = 0.015
"""What stays free left and right of a line's ends, as a part of its length."""
_BAR_NAMES, _BAR_TOP, _BAR_PITCH, _BAR_GAP = 300.0, 44.0, 20.0, 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One point of a line.

    Attributes:
        value: None where there is no number; the line skips it.
        mark: how it looks.
        label: the value as text.
        title: shown when the pointer rests on it.
    """

    value: float | None
    mark: Mark
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


def draw_both(draw: Callable[[float], Markup]) -> Markup:
    """A chart for wide pages and one for narrow ones, of which the style sheet shows one.

    Args:
        draw: draws it in a width, in pixels.
    """
    wide, narrow = (
        element("div", {"class": name}, draw(width)) for name, width in (("wide", WIDTH), ("narrow", NARROW))
    )
    return join([wide, narrow])


def draw_panel(panel: Panel, *, names: Sequence[str], width: float = WIDTH) -> Markup:
    """A line chart as SVG.

    Args:
        panel: what to draw.
        names: text below each point of the x axis; empty for a panel that has another one below it.
        width: of the drawing, in pixels.
    """
    # A collapse that was rolled back must not flatten the rest of the line; it is drawn at the edge.
    known = [p.value for p in panel.points if p.value is not None and p.mark.joined] or [0.0]
    levels = [panel.level] if panel.level is not None else []
    ticks = place_ticks(min(known + levels), max(known + levels), unit=panel.unit, from_zero=panel.from_zero)
    last = len(panel.points) - 1
    side = _SIDE * last or 0.5
    plot = Plot(
        width=width,
        height=_LINES_HEIGHT + (_NAMES_HEIGHT if names else 0.0),
        left=LEFT,
        right=_LINES_RIGHT,
        top=_LINES_TOP,
        bottom=12.0 + (_NAMES_HEIGHT if names else 0.0),
        across=(-side, last + side),
        up=(ticks[0], ticks[-1]),
    )
    parts = [plot.draw_rows(ticks, unit=panel.unit)]
    if panel.level is not None:
        parts.append(_draw_level(panel, plot, level=panel.level))
    parts += [_draw_line(panel, plot), plot.draw_names(names, at=range(len(names)))]
    return plot.draw(panel.title, *parts)


def draw_bars(bars: Sequence[Bar], *, title: str, level: float, level_name: str) -> Markup:
    """Horizontal bars below one another as SVG that stands alone, with its style.

    Args:
        bars: from top to bottom.
        title: what the values are.
        level: a vertical line.
        level_name: what it stands for.
    """
    ticks = place_ticks(0.0, max([level, *(bar.value for bar in bars)]), unit="", from_zero=True)
    plot = Plot(
        width=WIDTH,
        height=_BAR_TOP + _BAR_PITCH * len(bars) + _NAMES_HEIGHT,
        left=_BAR_NAMES,
        right=_LINES_RIGHT / 2,
        top=_BAR_TOP - _BAR_GAP,
        bottom=_NAMES_HEIGHT,
        across=(0.0, ticks[-1]),
    )
    parts = [
        element("style", {}, read_style()),
        element("text", {"x": plot.left, "y": 16, "class": "tick strong"}, title),
        plot.draw_columns(ticks, unit=""),
    ]
    for place, bar in enumerate(bars):
        y, thick = _BAR_TOP + place * _BAR_PITCH, _BAR_PITCH - _BAR_GAP
        end = plot.x(bar.value)
        box: Attributes = {"x": plot.left, "y": y, "width": end - plot.left, "height": thick}
        parts += [
            element("text", {"x": plot.left - 8, "y": y + thick - 2, "class": "tick end"}, bar.name),
            element("rect", {"class": "block", **box}),
            element("text", {"x": end + 6, "y": y + thick - 2, "class": "tick"}, bar.label),
        ]
    x = plot.x(level)
    name = element("text", {"x": x + 4, "y": plot.top - 2, "class": "tick level-name"}, level_name)
    return plot.draw(title, *parts, plot.draw_line(x=x, kind="level"), name, alone=True)


def _draw_level(panel: Panel, plot: Plot, *, level: float) -> Markup:
    y = plot.y(level)
    last = next((p.value for p in reversed(panel.points) if p.value is not None), None)
    text_y = y + 4
    if last is not None and abs(plot.y(last) - y) < _LEAST_LABEL_GAP:
        # Keep clear of the label of the last point, which stands at the same place.
        text_y += _LEAST_LABEL_GAP if plot.y(last) <= y else -_LEAST_LABEL_GAP
    text = f"{panel.level_name} {format_quantity(level, panel.unit)}"
    place: Attributes = {"x": plot.right_edge + 8, "y": text_y, "class": "tick level-name"}
    return join([plot.draw_line(y=y, kind="level"), element("text", place, text)])


def _draw_line(panel: Panel, plot: Plot) -> Markup:
    places = [
        (plot.x(i), plot.y(point.value), point)
        for i, point in enumerate(panel.points)
        if point.value is not None
    ]
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y, point in places if point.mark.joined)
    parts = [element("polyline", {"class": "line", "points": path})]
    for x, y, point in places:
        parts.append(draw_mark(point.mark, x=x, y=y, title=point.title))
        if not point.mark.joined and y >= plot.lower_edge:  # somewhere below: say where
            parts.append(element("text", {"class": "tick", "x": x + 8, "y": y + 4}, point.label))
    if places:
        _, y, point = places[-1]
        place: Attributes = {"x": plot.right_edge + 8, "y": y + 4, "class": "tick strong"}
        parts.append(element("text", place, point.label))
    return join(parts)
