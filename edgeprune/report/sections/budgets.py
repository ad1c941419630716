"""Budgets: a bar for each, from nothing to what the artefact costs, with the dense model and the budget."""

from typing import TypedDict

from edgeprune.config.budgets import BUDGETS as BUDGET_KINDS
from edgeprune.report.section import Document, Section

BUDGET_FIGURES = {name: kind.figure for name, kind in BUDGET_KINDS.items()}
"""The figure that each budget limits."""

_AIR = 1.04
"""How far a bar's track goes beyond the largest value on it."""


class BudgetPart(TypedDict):
    """What was asked, in `unit`; `origin` is the flag, recipe or profile that asked it."""

    name: str
    value: float
    unit: str
    origin: str


def _summarise(report: Document) -> Document | None:
    bars = [
        {"check": check, "dense": dense, "top": _find_top(check, dense)}
        for check, dense in (
            (check, report["dense"].get(BUDGET_FIGURES.get(check["name"], ""))) for check in report["checks"]
        )
        if check["name"] in BUDGET_FIGURES and None not in (check["budget"], check["value"])
    ]
    return {"bars": bars} if bars else None


def _find_top(check: Document, dense: float | None) -> float:
    """The value at the end of the bar's track."""
    values = (check["value"], check["budget"], check["high"], dense)
    return _AIR * max(value or 0.0 for value in values)


BUDGETS = Section(reads=("checks", "dense"), summarise=_summarise, template="budgets.html")
