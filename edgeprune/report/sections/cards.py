"""The cards below the verdict: flash, RAM and latency, and what became of the metric."""

from edgeprune.config.budgets import BUDGETS as BUDGET_KINDS
from edgeprune.config.budgets import BudgetKind
from edgeprune.report.section import Document, Section
from edgeprune.report.sections.figures import describe_metric
from edgeprune.units import format_ratio

_AIR = 1.04
"""How far a bar's track goes beyond the largest value on it."""
_NAMES = {"flash": "Flash", "ram": "RAM", "latency": "Latency"}


def _summarise(report: Document) -> Document | None:
    cards = [_describe(kind, report) for kind in BUDGET_KINDS.values()]
    known = [card for card in cards if card is not None]
    metric = describe_metric(report)
    return {"cards": known, "metric": metric} if known or metric else None


def _describe(kind: BudgetKind, report: Document) -> Document | None:
    """One budget: its figure and where it comes from, what is allowed, and the dense model's."""
    check = next((check for check in report["checks"] if check["name"] == kind.name), None)
    origin = check or report["provenance"].get("pruned", {}).get(kind.figure)
    if origin is None:
        return None
    dense, budget = report["dense"].get(kind.figure), check["budget"] if check else None
    value = check["value"] if check else report["pruned"].get(kind.figure)
    return {
        "title": _NAMES.get(kind.name, kind.label),
        "unit": kind.unit,
        "value": value,
        "source": origin["source"],
        "evidence": origin["evidence"],
        "low": origin["low"],
        "high": origin["high"],
        "budget": budget,
        "margin": check["margin"] if check else None,
        "check": check,
        "asked_by": _find_origin(kind.name, report),
        "dense": dense,
        "ratio": format_ratio(value, dense),
        "top": _AIR * max(number or 0.0 for number in (value, budget, origin["high"], dense)),
    }


def _find_origin(name: str, report: Document) -> str:
    return next((budget["origin"] for budget in report["budgets"] if budget["name"] == name), "")


CARDS = Section(
    reads=("checks", "dense", "pruned", "provenance", "budgets", "task"),
    summarise=_summarise,
    template="cards.html",
)
