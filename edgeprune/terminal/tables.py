"""Text tables for people: aligned, wrapped to the width of the page, safe to print."""

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH_COLUMNS = 80
_GAP = "  "
_LEAST_WIDTH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: its heading, and how its cells are set.

    Attributes:
        heading: shown above.
        align: numbers stand on the right.
        wrap: whether long cells may be broken into lines; at least one column of a wide table needs it.
    """

    heading: str
    align: Literal["left", "right"] = "left"
    wrap: bool = False


def format_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table, `WIDTH_COLUMNS` wide at most where its wrapping columns allow it.

    Args:
        columns: from left to right.
        rows: one cell per column.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = _fit(columns, [[column.heading for column in columns], *cells])
    lines = _lay_out([column.heading for column in columns], columns, widths)
    lines.append(_GAP.join("-" * width for width in widths))
    for row in cells:
        lines += _lay_out(row, columns, widths)
    return "\n".join(lines)


def format_markdown_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """The same table as Markdown of GitHub and GitLab has them.

    Args:
        columns: from left to right.
        rows: one cell per column.
    """
    cells = [[printable(cell).replace("|", "\\|") for cell in row] for row in rows]
    rule = ["--:" if column.align == "right" else "---" for column in columns]
    lines = [[column.heading for column in columns], rule, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def wrap(text: str, *, indent: str = "") -> str:
    """A paragraph, `WIDTH_COLUMNS` wide; all lines but the first are indented."""
    first, *rest = _break(printable(text), WIDTH_COLUMNS - len(indent))
    return "\n".join([first, *(indent + line for line in rest)])


def printable(text: str) -> str:
    """The text with control characters shown as escapes: a layer's name must not drive the terminal."""
    return "".join(
        c if unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode("ascii") for c in text
    )


def measure_width(text: str) -> int:
    """Terminal columns that a text takes; East Asian wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _fit(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    widths = [max(measure_width(row[i]) for row in rows) for i in range(len(columns))]
    room = WIDTH_COLUMNS - len(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        shrinkable = [i for i, c in enumerate(columns) if c.wrap and widths[i] > _LEAST_WIDTH]
        if not shrinkable:
            break
        widest = max(shrinkable, key=lambda i: widths[i])
        widths[widest] -= 1
    return widths


def _lay_out(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    broken = [_break(cell, width) for cell, width in zip(row, widths, strict=True)]
    height = max(len(lines) for lines in broken)
    return [
        _GAP.join(
            _pad(lines[y] if y < len(lines) else "", width, column.align)
            for lines, width, column in zip(broken, widths, columns, strict=True)
        ).rstrip()
        for y in range(height)
    ]


def _break(cell: str, width: int) -> list[str]:
    if measure_width(cell) <= width:
        return [cell]
    # A wide character counts as one for textwrap, so leave it half the room where there are any.
    columns = width if measure_width(cell) == len(cell) else max(1, width // 2)
    return textwrap.wrap(cell, columns, break_on_hyphens=False) or [""]


def _pad(text: str, width: int, align: Literal["left", "right"]) -> str:
    space = " " * (width - measure_width(text))
    return space + text if align == "right" else text + space
