"""The plans that competed, and why the winner won."""

from typing import TypedDict

from edgeprune.report.section import Section


class PlanPart(TypedDict):
    """One plan that meets the budgets, or the reason why it does not.

    Distances are those of the outputs from the original's on validation samples: `untrained` as it was cut,
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


PLANS = Section(
    reads=("plans",), summarise=lambda report: report if report["plans"] else None, template="plans.html"
)
