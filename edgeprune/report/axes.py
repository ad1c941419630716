"""The axes of all charts: where a value stands, round ticks, grid lines and their labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgeprune.report.markup import Attributes, element, join
from edgeprune.units import format_quantity

_NARROWEST = 1e-9
"""Half the length of an axis on which all values are zero, or as good as zero."""
_ALONE = 0.1
"""The same of one that holds a single value, as a part of it."""
_KIB = 1024.0
LETTER_WIDTH = 7.0
"""Of a digit in a label, in pixels, with a little air."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A drawing with an area for values, in pixels of the drawing from its upper left corner.

    Attributes:
        width, height: of the drawing.
        left, right, top, bottom: margins around the area, for labels.
        across: values at the left and the right edge of the area.
        up: values at its lower and its upper edge.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    across: tuple[float, float]
    up: tuple[float, float] = (0.0, 1.0)

    @property
    def right_edge(self) -> float:
        """Where the area ends on the right."""
        return self.width - self.right

    @property
    def lower_edge(self) -> float:
        """Where the area ends below."""
        return self.height - self.bottom

    def x(self, value: float) -> float:
        """Where a value stands; beyond the area, at its edge."""
        return self.left + _share(value, self.across) * (self.right_edge - self.left)

    def y(self, value: float) -> float:
        """Where a value stands; beyond the area, at its edge. Larger values stand higher."""
        return self.lower_edge - _share(value, self.up) * (self.lower_edge - self.top)

    def draw_rows(self, ticks: Sequence[float], *, unit: str) -> Markup:
        """A grid line across the area at each tick, with the tick on the left."""
        parts = []
        for tick in ticks:
            y = self.y(tick)
            parts.append(self.draw_line(y=y, kind="grid"))
            label: Attributes = {"x": self.left - 10, "y": y + 4, "class": "tick end"}
            parts.append(element("text", label, _format_tick(tick, unit)))
        return join(parts)

    def draw_columns(self, ticks: Sequence[float], *, unit: str) -> Markup:
        """A grid line up the area at each tick, with the tick below."""
        lines = [self.draw_line(x=self.x(tick), kind="grid") for tick in ticks]
        return join([*lines, self.draw_names([_format_tick(tick, unit) for tick in ticks], at=ticks)])

    def draw_names(self, names: Sequence[str], *, at: Sequence[float]) -> Markup:
        """Text below the area, in the middle of its value: every n-th where there is no room for all."""
        widest = max((len(name) for name in names), default=0) * LETTER_WIDTH
        room = (self.right_edge - self.left) / max(len(names), 1)
        every = max(1, math.ceil(widest / room))
        return join(
            element("text", {"x": self.x(value), "y": self.lower_edge + 18, "class": "tick middle"}, name)
            for name, value in list(zip(names, at, strict=True))[::every]
        )

    def draw_line(self, *, kind: str, x: float | None = None, y: float | None = None) -> Markup:
        """A line across the area at a height, or up the area at an `x`; `kind` is its class in the style."""
        ends: Attributes = {
            "class": kind,
            "x1": self.left if x is None else x,
            "x2": self.right_edge if x is None else x,
            "y1": self.top if y is None else y,
            "y2": self.lower_edge if y is None else y,
        }
        return element("line", ends)

    def draw(self, label: str, *parts: str, alone: bool = False) -> Markup:
        """The drawing as an element of a page, or a file of its own; `label` is read out in place of it."""
        frame: Attributes = {
            "xmlns": "http://www.w3.org/2000/svg" if alone else None,
            "viewBox": f"0 0 {self.width:.0f} {self.height:.0f}",
            "role": "img",
            "aria-label": label,
        }
        return element("svg", frame, *parts)


def place_ticks(low: float, high: float, *, unit: str, from_zero: bool) -> list[float]:
    """Round numbers, three to six of them, that enclose low..high; bytes are round in B, KiB or MiB."""
    scale = _byte_scale(high) if unit == "bytes" else 1.0
    low, high = (0.0 if from_zero else low / scale), high / scale
    if high - low < 1e-9 * max(1.0, abs(high)):
        half = max(_ALONE * abs(high), _NARROWEST)
        low, high = low - half, high + half
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) * scale for i in range(first, last + 1)]


def _byte_scale(high: float) -> float:
    return next((scale for scale in (_KIB**2, _KIB) if high >= scale), 1.0)


def _format_tick(tick: float, unit: str) -> str:
    return f"{tick:g}" if unit == "" else format_quantity(tick, unit)


def _share(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return min(max((value - low) / (high - low), 0.0), 1.0)
