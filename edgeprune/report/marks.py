"""The marks of line charts: a chart and its key draw the same ones."""

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from edgeprune.report.markup import element

Shape = Literal["dot", "ring", "square", "cross", "diamond", "target"]

_OUTLINES: dict[Shape, str] = {
    "dot": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "ring": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "square": "M-4 -4h8v8h-8z",
    "cross": "M-4 -4l8 8m0 -8l-8 8",
    "diamond": "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "target": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0zM-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0z",
}
"""Paths around the mark's middle; the largest is twelve pixels across, and its line two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How a point of a line chart looks.

    Attributes:
        name: what the key says of it.
        shape: its outline.
        look: "full", "hollow", "dashed", "pale" or "bad"; see `report.css`.
        joined: whether the line goes through it, and the axis makes room for it.
    """

    name: str
    shape: Shape
    look: Literal["full", "hollow", "dashed", "pale", "bad"]
    joined: bool = True


def draw_mark(mark: Mark, *, x: float, y: float, title: str) -> Markup:
    """The mark at a place of a chart; `title` is shown when the pointer rests on it."""
    place = f"translate({x:.2f} {y:.2f})"
    outline = {"class": f"mark {mark.look}", "d": _OUTLINES[mark.shape], "transform": place}
    return element("path", outline, element("title", {}, title))


def draw_key(mark: Mark) -> Markup:
    """The mark by itself, as large as in a chart."""
    outline = {"class": f"mark {mark.look}", "d": _OUTLINES[mark.shape]}
    frame = {"class": "key-mark", "viewBox": "-8 -8 16 16", "aria-hidden": "true"}
    return element("svg", frame, element("path", outline))
