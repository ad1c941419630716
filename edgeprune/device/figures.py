"""Figures that know where they come from, and the checks that compare them with budgets."""

from dataclasses import dataclass
from typing import Literal

from edgeprune.config.figures import FIGURES
from edgeprune.report.sections.checks import CheckPart
from edgeprune.report.sections.figures import FigurePart

Source = Literal["measured", "simulated", "estimated", "unavailable"]

Verdict = Literal["fits", "exceeds", "uncertain", "unknown"]

UNITS: dict[str, str] = {name: kind.unit for name, kind in FIGURES.items() if name != "float_accuracy"}
"""Every figure of a file, and its unit; counts and fractions have none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number, with its unit and provenance.

    Attributes:
        value: the number, or None where it is unavailable.
        unit: as in `UNITS`.
        source: `measured` on the device, `simulated` with the real binary or allocator on this machine,
            `estimated` by a model, or `unavailable`.
        evidence: how it was obtained, or why it is unavailable.
        low, high: the interval of an estimate, same unit; None where none is known.
    """

    value: float | None
    unit: str
    source: Source
    evidence: str
    low: float | None = None
    high: float | None = None

    def to_json(self) -> FigurePart:
        """The figure as a JSON object."""
        return {
            "value": self.value,
            "unit": self.unit,
            "source": self.source,
            "evidence": self.evidence,
            "low": self.low,
            "high": self.high,
        }


def unavailable(name: str, reason: str) -> Figure:
    """A figure that could not be had, with the reason."""
    return Figure(value=None, unit=UNITS[name], source="unavailable", evidence=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A figure compared with its budget.

    Attributes:
        name: "flash", "ram", "latency", "accuracy", "ops", "equivalence", "agreement" or "answers".
        figure: what was found.
        budget: what is allowed, in the figure's unit; None where nothing is asked.
        at_least: True where the figure must not fall below the budget (accuracy); else it must not exceed it.
        note: one clause for people, for example where the budget comes from.
        is_strict: whether an uncertain verdict is a no.
    """

    name: str
    figure: Figure
    budget: float | None
    at_least: bool = False
    note: str = ""
    is_strict: bool = False

    @property
    def margin(self) -> float | None:
        """What is left before the budget is broken, in the figure's unit; negative when it is broken."""
        if self.figure.value is None or self.budget is None:
            return None
        gap = self.budget - self.figure.value
        return -gap if self.at_least else gap

    @property
    def verdict(self) -> Verdict:
        """Whether the budget holds; uncertain where it lies within the figure's interval."""
        if self.budget is None:
            return "fits"
        if self.margin is None:
            return "unknown"
        ends = [end for end in (self.figure.low, self.figure.high) if end is not None]
        if not self.at_least and ends and min(ends) <= self.budget < max(ends):
            return "uncertain"
        return "fits" if self.margin >= 0 else "exceeds"

    @property
    def ok(self) -> bool:
        """Whether it passes: an uncertain verdict does unless it is strict, an unavailable figure never."""
        return self.verdict == "fits" or (self.verdict == "uncertain" and not self.is_strict)

    def to_json(self) -> CheckPart:
        """The check as it stands in `report.json`."""
        return {
            "name": self.name,
            "value": self.figure.value,
            "unit": self.figure.unit,
            "budget": self.budget,
            "margin": self.margin,
            "source": self.figure.source,
            "evidence": self.figure.evidence,
            "low": self.figure.low,
            "high": self.figure.high,
            "ok": self.ok,
            "verdict": self.verdict,
            "note": self.note,
            "at_least": self.at_least,
        }
