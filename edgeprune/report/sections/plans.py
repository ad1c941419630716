"""The plans that competed, and why the winner won."""

from typing import TypedDict

from edgeprune.report.section import Document, Section


class PlanPart(TypedDict):
    """One plan that meets the budgets, or the reason why it does not.

    Distances are those of the outputs from the original's on validation samples: `untrained` after refitting,
    `trained` after `steps` optimizer steps on trial, `foreseen` what all of recovery would make of it at the
    pace of its last doubling. None where it was not measured.
    """

    name: str
    macs: int | None
    untrained: float | None
    steps: int
    trained: float | None
    foreseen: float | None
    taken: bool
    note: str


def _summarise(report: Document) -> Document:
    tried = [plan for plan in report["plans"] if plan["steps"] or plan["note"]]
    varied = [plan for plan in report["plans"] if plan not in tried]
    return {"tried": tried, "varied": varied}


PLANS = Section(reads=("plans",), summarise=_summarise, template="plans.html")
