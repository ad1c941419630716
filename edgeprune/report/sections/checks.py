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
    """The verdict on pages, with what to do about one that is not certain."""
    word = word_verdict(check)
    return "uncertain: measure it" if word == "uncertain" else word


def word_verdict(check: Document) -> str:
    """The verdict in a word or two, on pages and the command line: a budget fits, another check holds."""
    if is_undecided(check):
        return "undecided"
    if check["budget"] is None:
        return "no budget"
    if check["name"] in BUDGETS:
        return str(check["verdict"])
    return "holds" if check["ok"] else "broken"


def is_undecided(check: Document) -> bool:
    """Whether something was found that this machine cannot judge."""
    return check["budget"] is None and check["value"] is not None and check["name"] not in BUDGETS


CHECKS = Section(reads=("checks", "sentence"), summarise=_summarise, template="checks.html")
