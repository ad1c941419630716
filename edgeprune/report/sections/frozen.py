"""What could not be pruned, and why."""

from typing import TypedDict

from edgeprune.report.section import Document, Section


class FrozenPart(TypedDict):
    """Channels that stay whatever the budgets ask, and why."""

    layer: str
    channels: int
    reason: str


def _summarise(report: Document) -> Document | None:
    return report if report["frozen"] else None


FROZEN = Section(reads=("frozen",), summarise=_summarise, template="frozen.html")
