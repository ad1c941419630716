"""What notebooks and `print` show of a result: its figures, its budgets and its verdict."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from edgeprune.config.figures import FIGURES, FigureKind
from edgeprune.report.markup import element
from edgeprune.units import format_quantity, short_unit

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures, checks, and a sentence below them.

    Attributes:
        sentence: the verdict, or what was done.
        figures: values by name.
        provenance: figures as `Figure.to_json` gives them, by name; for those that have one.
        checks: as `Check.to_json` gives them.
    """

    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Sequence[Mapping[str, Any]] = ()

    def to_html(self) -> Markup:
        """Tables; what is empty is left out."""
        tables = [_draw_rows(*found) for found in self._list_tables()]
        return element("div", {}, *tables, element("p", {}, element("b", {}, self.sentence)))

    def to_text(self) -> str:
        """The same in plain text."""
        return "\n\n".join([*(_align(*found) for found in self._list_tables()), self.sentence])

    def _list_tables(self) -> Iterator[tuple[Row, list[Row]]]:
        measured: list[Row] = [
            (
                _label(name),
                format_quantity(value, _unit(name)),
                str(self.provenance.get(name, {}).get("source", "")),
            )
            for name, value in self.figures.items()
        ]
        if measured:
            yield ("figure", "value", "provenance"), measured
        held: list[Row] = [
            (
                check["name"],
                format_quantity(check["value"], check["unit"]),
                format_quantity(check["budget"], short_unit(check["unit"])),
                check["verdict"],
            )
            for check in self.checks
        ]
        if held:
            yield ("check", "value", "budget", "verdict"), held


class Summarized(ABC):
    """A result that notebooks show as tables, and `print` as the same in plain text."""

    __slots__ = ()

    @abstractmethod
    def summarize(self) -> Summary:
        """What is shown of it."""

    def _repr_html_(self) -> str:
        return self.summarize().to_html()

    def __repr__(self) -> str:
        """The figures, the checks and the sentence, not the arrays that it holds."""
        return self.summarize().to_text()


def _label(name: str) -> str:
    return FIGURES.get(name, FigureKind(label=name)).label.replace("{metric}", "metric")


def _unit(name: str) -> str:
    return FIGURES.get(name, FigureKind(label=name)).unit


def _draw_rows(headings: Row, rows: Sequence[Row]) -> Markup:
    head = element("tr", {}, *(element("th", {}, heading) for heading in headings))
    body = [element("tr", {}, *(element("td", {}, cell) for cell in row)) for row in rows]
    return element("table", {}, element("thead", {}, head), element("tbody", {}, *body))


def _align(headings: Row, rows: Sequence[Row]) -> str:
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
