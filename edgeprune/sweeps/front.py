"""Rows of trials into points: means over seeds with their spread, the front, ties, and what to take.

A point is what differs in its seed alone. Its *drop* is the mean of the reference's metric less the trial's,
seed by seed, as `count_drop` has it. The reference is the dense
model, fine-tuned as long; where there is none, the dense model as it was given. The *spread* is the standard
deviation over seeds (n - 1); points are *tied* where their drops differ by no more than both spreads, added
as squares.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot
from statistics import fmean, stdev
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.drop import count_drop
from edgeprune.sweeps.rows import Row
from edgeprune.units import format_quantity, format_setting

DROP_TAKEN = 0.01
"""One point of a score, one per cent of an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A mean over seeds, and the standard deviation; None where there is only one."""

    mean: float
    deviation: float | None

    def to_json(self) -> dict[str, float | None]:
        """As an object."""
        return {"mean": self.mean, "deviation": self.deviation}


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Trials that differ in their seed alone.

    Attributes:
        kind, model, device, budgets, settings: as in their rows.
        metric, higher_is_better: likewise.
        accuracy: of the file.
        drop: against the reference.
        figures: name → mean.
        seeds: how many trials gave a figure.
        fits: how many of them hold all that was asked.
        trials: their names.
        report: the page of the first.
        on_front: whether it fits, or is the reference, and no other such point of its model and device is at
            least as good in both the cost and the drop, and better in one.
        ties: trials of points on the front, by their first one's name, that it is tied with.
    """

    kind: str
    model: str
    device: str
    budgets: Mapping[str, float]
    settings: Mapping[str, Any]
    metric: str
    higher_is_better: bool
    accuracy: Spread
    drop: Spread
    figures: Mapping[str, float]
    seeds: int
    fits: int
    trials: tuple[str, ...]
    report: str
    on_front: bool = False
    ties: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people: its budgets and settings."""
        if self.kind != "build":
            return "dense, fine-tuned"
        said = [
            f"{kind.label} {self.budgets[kind.key]:g} {kind.key.rpartition('_')[2].replace('kib', 'KiB')}"
            for kind in BUDGETS.values()
            if kind.key in self.budgets
        ]
        return ", ".join([*said, *map(format_setting, self.settings.items())]) or "as usual"

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            "name": self.name,
            "kind": self.kind,
            "model": self.model,
            "device": self.device,
            "budgets": dict(self.budgets),
            "settings": dict(self.settings),
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "accuracy": self.accuracy.to_json(),
            "drop": self.drop.to_json(),
            "figures": dict(self.figures),
            "seeds": self.seeds,
            "fits": self.fits,
            "trials": list(self.trials),
            "report": self.report,
            "on_front": self.on_front,
            "ties": list(self.ties),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """Accuracy against one cost, for one model on one device.

    Attributes:
        model, device: what it is of.
        cost: a name in `BUDGETS`: what the points were asked for; latency where that is not told.
        points: builds, then references.
        taken: the cheapest build that fits in every seed and drops by at most `DROP_TAKEN`; None if none is.
    """

    model: str
    device: str
    cost: str
    points: tuple[Point, ...]
    taken: Point | None

    @property
    def figure(self) -> str:
        """That the cost limits."""
        return BUDGETS[self.cost].figure

    @property
    def sentence(self) -> str:
        """What to take."""
        where = f"{self.model} on {self.device}"
        if self.taken is None:
            return f"{where}: no build that fits loses at most {DROP_TAKEN:g}."
        drop = self.taken.drop
        spread = "one seed" if drop.deviation is None else f"± {drop.deviation:.4f}"
        cost = format_quantity(self.taken.figures[self.figure], BUDGETS[self.cost].unit)
        return f"{where}: take {self.taken.name} ({cost}); it loses {drop.mean:.4f} ({spread})."

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            "model": self.model,
            "device": self.device,
            "cost": self.cost,
            "sentence": self.sentence,
            "points": [point.to_json() for point in self.points],
            "taken": None if self.taken is None else self.taken.trials[0],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Metrics that rows are held against, by model and seed."""

    tuned: Mapping[tuple[str, int], float]
    mean: Mapping[str, float]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "References":
        """Of the dense models, fine-tuned, among the rows."""
        tuned = {
            (row.model, row.seed): row.accuracy
            for row in rows
            if row.kind == "reference" and row.accuracy is not None
        }
        models = {model for model, _ in tuned}
        mean = {m: fmean(value for (model, _), value in tuned.items() if model == m) for m in models}
        return cls(tuned=tuned, mean=mean)

    def drop(self, row: Row) -> float | None:
        """How much worse a row is; None where there is nothing to hold it against."""
        before = self.tuned.get((row.model, row.seed), self.mean.get(row.model, row.dense_accuracy))
        if before is None or row.accuracy is None:
            return None
        return count_drop(before, row.accuracy, higher_is_better=row.higher_is_better)


def find_fronts(rows: Sequence[Row]) -> list[Front]:
    """A front for each model, device and kind of budget, in the order of the rows."""
    references, groups = References.of(rows), dict[str, list[Row]]()
    for row in rows:
        if references.drop(row) is not None:
            key = json.dumps(
                [row.model, row.device, row.kind, dict(row.budgets), dict(row.settings)], default=str
            )
            groups.setdefault(key, []).append(row)
    places: dict[tuple[str, str], list[Point]] = {}
    for group in groups.values():
        places.setdefault((group[0].model, group[0].device), []).append(_make_point(group, references))
    fronts = (_make_front(points, cost=cost) for points in places.values() for cost in _list_costs(points))
    return [front for front in fronts if front.points]


def are_tied(one: Point, other: Point) -> bool:
    """Whether their drops differ by no more than their spreads; never where a spread is not known."""
    if one.drop.deviation is None or other.drop.deviation is None:
        return False
    return abs(one.drop.mean - other.drop.mean) <= hypot(one.drop.deviation, other.drop.deviation)


def _make_point(rows: Sequence[Row], references: References) -> Point:
    first = rows[0]
    names = [name for name in first.figures if all(row.value(name) is not None for row in rows)]
    drops = [drop for row in rows if (drop := references.drop(row)) is not None]
    return Point(
        kind=first.kind,
        model=first.model,
        device=first.device,
        budgets=first.budgets,
        settings=first.settings,
        metric=first.metric,
        higher_is_better=first.higher_is_better,
        accuracy=_spread([row.accuracy for row in rows if row.accuracy is not None]),
        drop=_spread(drops),
        figures={name: fmean(row.value(name) or 0.0 for row in rows) for name in names},
        seeds=len(rows),
        fits=sum(row.fits for row in rows),
        trials=tuple(row.trial for row in rows),
        report=first.report,
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(mean=fmean(values), deviation=stdev(values) if len(values) > 1 else None)


def _list_costs(points: Sequence[Point]) -> list[str]:
    asked = [kind.name for kind in BUDGETS.values() if any(kind.key in point.budgets for point in points)]
    return asked or ["latency"]


def _make_front(points: Sequence[Point], *, cost: str) -> Front:
    figure = BUDGETS[cost].figure
    priced = sorted(
        (p for p in points if figure in p.figures), key=lambda p: (p.figures[figure], p.drop.mean)
    )
    best, front = (0.0, float("inf")), set[int]()
    for index, point in enumerate(priced):
        usable = point.kind == "reference" or point.fits == point.seeds
        found = (point.figures[figure], point.drop.mean)
        if usable and (found == best or found[1] < best[1]):
            best = found
            front.add(index)
    marked = [replace(point, on_front=index in front) for index, point in enumerate(priced)]
    members = [point for point in marked if point.on_front]
    tied = [replace(point, ties=_find_ties(point, members)) for point in marked]
    fitting = (p for p in tied if p.kind == "build" and p.fits == p.seeds and p.drop.mean <= DROP_TAKEN)
    model, device = points[0].model, points[0].device
    return Front(model=model, device=device, cost=cost, points=tuple(tied), taken=next(fitting, None))


def _find_ties(point: Point, members: Sequence[Point]) -> tuple[str, ...]:
    return tuple(
        other.trials[0] for other in members if other.trials != point.trials and are_tied(point, other)
    )
