"""Checks: every figure of the artefact against what is allowed, and how it was obtained."""

from typing import TypedDict

from edgeprune.config.budgets import BUDGETS
from edgeprune.report.section import Document, Section


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


def _summarise(report: Document) -> Document:
    checks = [{**check, "said": say_verdict(check)} for check in report["checks"]]
    return {"checks": checks, "sentence": report["sentence"]}


def say_verdict(check: Document) -> str:
    """The verdict in a word or two, as the command line has it: a budget fits, another check holds."""
    is_budget = check["name"] in BUDGETS
    if check["budget"] is None:
        return "no budget" if is_budget or check["value"] is None else "undecided"
    if check["verdict"] == "uncertain":
        return "uncertain: measure it"
    if is_budget:
        return str(check["verdict"])
    return "holds" if check["ok"] else "broken"


CHECKS = Section(reads=("checks", "sentence"), summarise=_summarise, template="checks.html")
