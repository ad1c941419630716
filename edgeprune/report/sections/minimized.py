"""The trials of `--minimize`: what was asked of each, what it lost, and whether that was little enough."""

from typing import TypedDict

from edgeprune.config.budgets import BUDGETS
from edgeprune.report.section import Document, Section


class TrialPart(TypedDict):
    """One trial: its budget and the cost it came to, in the figure's unit, and the drop on validation data.

    `cost` and `drop` are None where no plan meets the budget; `note` says why. `epochs` are the trial's.
    """

    budget: float
    cost: float | None
    drop: float | None
    epochs: float
    good: bool
    note: str


def _summarise(report: Document) -> Document | None:
    if not report["trials"]:
        return None
    kind = BUDGETS[report["settings"]["minimize"]]
    return {"trials": report["trials"], "label": kind.label, "unit": kind.unit}


MINIMIZED = Section(reads=("trials", "settings"), summarise=_summarise, template="minimized.html")
