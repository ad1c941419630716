"""Sweeps for people: what to take on each device, and the front that it is on."""

from collections.abc import Mapping
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity

_POINTS_AT_MOST = 20


def format_sweep(document: Mapping[str, Any], folder: str) -> str:
    """A table for each front, what to take, and where everything is.

    Args:
        document: as `SweepResult.to_json` gives it.
        folder: of the results.
    """
    parts = [_format_front(front) for front in document["fronts"]]
    return "\n\n".join(
        [*parts, wrap(f"{document['sentence']} Everything is in {folder}; start with sweep.html.")]
    )


def _format_front(front: Mapping[str, Any]) -> str:
    kind = BUDGETS[front["cost"]]
    columns = (
        Column(heading=f"{front['model']} on {front['device']}", wrap=True),
        Column(heading=kind.label, align="right"),
        Column(heading="metric", align="right"),
        Column(heading="drop", align="right"),
        Column(heading="seeds", align="right"),
        Column(heading="front"),
    )
    rows = [
        [
            point["name"],
            format_quantity(point["figures"][kind.figure], kind.unit),
            *(_format_spread(point[key]) for key in ("accuracy", "drop")),
            str(point["seeds"]),
            ", ".join([*["yes"] * point["on_front"], *["tie"] * bool(point["ties"])]),
        ]
        for point in front["points"][:_POINTS_AT_MOST]
    ]
    return f"{format_table(columns, rows)}\n{wrap(front['sentence'])}"


def _format_spread(spread: Mapping[str, Any]) -> str:
    deviation = "" if spread["deviation"] is None else f" ±{spread['deviation']:.4f}"
    return f"{spread['mean']:.4f}{deviation}"
