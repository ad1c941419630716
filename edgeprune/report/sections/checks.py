"""Checks: every figure of the artefact against what is allowed, and how it was obtained."""

from typing import TypedDict

from edgeprune.report.section import Section


class CheckPart(TypedDict):
    """A figure against its budget; `margin` is what is left, below zero where it is broken.

    `source`, `evidence`, `low` and `high` are as in `FigurePart`; `at_least` says that the figure must not
    fall below the budget.
    """

    name: str
    value: float | None
    unit: str
    budget: float | None
    margin: float | None
    source: str
    evidence: str
    low: float | None
    high: float | None
    ok: bool
    verdict: str
    note: str
    at_least: bool


CHECKS = Section(reads=("checks", "sentence"), summarise=lambda report: report, template="checks.html")
