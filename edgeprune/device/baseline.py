"""A check held against an earlier one: what takes more than it did, device by device.

Both are documents of `edgeprune check --json`, of one device or of many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.figures import FIGURES
from edgeprune.errors import RecipeError

COMPARED = ("tflite_bytes", *(kind.figure for kind in BUDGETS.values()))
"""Figures that are held against the baseline: less is better of each of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One figure on one device, before and now; None where it is not known.

    Attributes:
        device: a profile's id.
        figure: one of `COMPARED`; or "verdict", which is 1 where the file fits and 0 where it does not.
        before, after: in the figure's unit.
        is_regression: whether it got worse by more than the tolerance.
    """

    device: str
    figure: str
    before: float | None
    after: float | None
    is_regression: bool

    @property
    def unit(self) -> str:
        """Of the figure."""
        return "" if self.figure == "verdict" else FIGURES[self.figure].unit

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            "device": self.device,
            "figure": self.figure,
            "before": self.before,
            "after": self.after,
            "unit": self.unit,
            "regression": self.is_regression,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BaselineComparison:
    """A check against an earlier one.

    Attributes:
        baseline: the file of the earlier one.
        tolerance: by which fraction of what it was a figure may grow.
        changes: every figure that is in both.
        added: devices that the baseline does not know.
    """

    baseline: str
    tolerance: float
    changes: tuple[Change, ...]
    added: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What got worse by more than the tolerance."""
        return tuple(change for change in self.changes if change.is_regression)

    @property
    def ok(self) -> bool:
        """Whether nothing did."""
        return not self.regressions

    @property
    def sentence(self) -> str:
        """What came of it."""
        count, devices = len(self.regressions), {change.device for change in self.changes}
        of = "1 device" if len(devices) == 1 else f"{len(devices)} devices"
        new = f"; not in it: {', '.join(self.added)}" if self.added else ""
        if not count:
            return f"no regression beyond {self.tolerance:.3g} of {self.baseline} on {of}{new}."
        what = "1 regression" if count == 1 else f"{count} regressions"
        return f"{what} beyond {self.tolerance:.3g} of {self.baseline} on {of}{new}."

    def to_json(self) -> dict[str, Any]:
        """As it stands in the document of `check --json`."""
        return {
            "baseline": self.baseline,
            "tolerance": self.tolerance,
            "changes": [change.to_json() for change in self.changes],
            "added": list(self.added),
            "ok": self.ok,
            "sentence": self.sentence,
        }


def compare_with_baseline(
    now: Mapping[str, Any], before: Mapping[str, Any], *, baseline: str, tolerance: float
) -> BaselineComparison:
    """What of a check got worse since an earlier one.

    Whatever the tolerance, a file that fitted and does not fit now is a regression, and so is a figure that
    was known and is not.

    Args:
        now: a document of `check --json`.
        before: an earlier one.
        baseline: the earlier one's file, for messages.
        tolerance: fraction, at least 0.

    Raises:
        RecipeError: the earlier one is no such document, or has none of the devices.
    """
    old = {row["device"]: row for row in _list_rows(before, where=baseline)}
    rows = _list_rows(now, where="this check")
    known = [row for row in rows if row["device"] in old]
    if not known:
        raise RecipeError(
            "the baseline is of other devices",
            where=baseline,
            why=f"it has {', '.join(sorted(old)) or 'none'}",
            fix="write a new one with 'edgeprune check … --json'",
        )
    changes = [change for row in known for change in _compare(old[row["device"]], row, tolerance=tolerance)]
    added = tuple(row["device"] for row in rows if row["device"] not in old)
    return BaselineComparison(baseline=baseline, tolerance=tolerance, changes=tuple(changes), added=added)


def _list_rows(document: Mapping[str, Any], *, where: str) -> Sequence[Mapping[str, Any]]:
    rows = document.get("devices", [document])
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise RecipeError(
            "is no document of 'edgeprune check --json'",
            where=where,
            fix="write one with 'edgeprune check FILE --device ID --json > baseline.json'",
        )
    return rows


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("device"), str):
        return False
    figures = row.get("figures")
    numbers = isinstance(figures, dict) and all(
        isinstance(figures.get(name), int | float | None) for name in COMPARED
    )
    return numbers and isinstance(row.get("ok"), bool)


def _compare(before: Mapping[str, Any], after: Mapping[str, Any], *, tolerance: float) -> list[Change]:
    changes = []
    for figure in COMPARED:
        was, now = before["figures"].get(figure), after["figures"].get(figure)
        if was is None and now is None:
            continue
        worse = was is not None and (now is None or now > was * (1 + tolerance))
        changes.append(
            Change(device=after["device"], figure=figure, before=was, after=now, is_regression=worse)
        )
    fitted, fits = float(before["ok"]), float(after["ok"])
    changes.append(
        Change(
            device=after["device"], figure="verdict", before=fitted, after=fits, is_regression=fits < fitted
        )
    )
    return changes
