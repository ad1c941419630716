"""What a notebook shows of a result: its figures, its budgets and its verdict, in one small table."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from edgeprune.config.figures import FIGURES, FigureKind
from edgeprune.report.markup import element
from edgeprune.units import format_quantity, short_unit


def draw_result(
    sentence: str,
    *,
    figures: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Mapping[str, Any]] | None = None,
    checks: Sequence[Mapping[str, Any]] = (),
) -> Markup:
    """Tables of figures and checks, and the sentence below them; what is empty is left out.

    Args:
        sentence: the verdict, or what was done.
        figures: values by name.
        provenance: figures as `Figure.to_json` gives them, by name; for those that have one.
        checks: as `Check.to_json` gives them.
    """
    origins = provenance or {}
    measured = [
        (_label(name), format_quantity(value, _unit(name)), str(origins.get(name, {}).get("source", "")))
        for name, value in (figures or {}).items()
    ]
    held = [
        (
            check["name"],
            format_quantity(check["value"], check["unit"]),
            format_quantity(check["budget"], short_unit(check["unit"])),
            check["verdict"],
        )
        for check in checks
    ]
    return element(
        "div",
        {},
        _draw_rows(("figure", "value", "provenance"), measured),
        _draw_rows(("check", "value", "budget", "verdict"), held),
        element("p", {}, element("b", {}, sentence)),
    )


def _label(name: str) -> str:
    return FIGURES.get(name, FigureKind(label=name)).label.replace("{metric}", "metric")


def _unit(name: str) -> str:
    return FIGURES.get(name, FigureKind(label=name)).unit


def _draw_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    if not rows:
        return Markup("")
    head = element("tr", {}, *(element("th", {}, heading) for heading in headings))
    body = [element("tr", {}, *(element("td", {}, cell) for cell in row)) for row in rows]
    return element("table", {}, element("thead", {}, head), element("tbody", {}, *body))
