"""Where the time goes: a bar for each layer, before and after."""

from collections.abc import Sequence
from typing import NamedTuple

from edgeprune.report.section import Document, Section
from edgeprune.units import format_quantity

_SHOWN = 16
"""Layers that have a bar of their own: the dearest, in the model's order."""


class _Cost(NamedTuple):
    """What layers are compared by: its keys in a layer, its unit, and what the page says of it."""

    key: str
    unit: str
    title: str
    remark: str


_COSTS = (
    _Cost(
        key="latency_ms",
        unit="ms",
        title="Where the time goes",
        remark="Time of each layer, estimated one by one. The converter merges some, so that the file's "
        "latency is not quite their sum.",
    ),
    _Cost(
        key="instructions",
        unit="",
        title="Where the instructions go",
        remark="Instructions of each layer, estimated one by one.",
    ),
    _Cost(
        key="macs",
        unit="",
        title="Where the work is",
        remark="Multiply-accumulates of each layer: how long a single one takes is not known on this device.",
    ),
)
"""The first that a layer has is taken."""


def _summarise(report: Document) -> Document | None:
    layers = report["layers"]
    cost = next((cost for cost in _COSTS if any(layer.get(f"{cost.key}_before") for layer in layers)), None)
    if cost is None:
        return None
    rows = [
        {
            "name": layer["name"],
            "before": layer.get(f"{cost.key}_before") or 0.0,
            "after": layer.get(f"{cost.key}_after") or 0.0,
        }
        for layer in layers
    ]
    rows = [row for row in rows if row["before"] or row["after"]]
    shown = _shorten(rows)
    top = max(max(row["before"], row["after"]) for row in shown)
    return {
        "cost": cost,
        "rows": [{**row, "text": _say(row, cost.unit)} for row in shown],
        "top": top,
    }


def _shorten(rows: Sequence[Document]) -> list[Document]:
    """The dearest layers, and one row for all others."""
    if len(rows) <= _SHOWN + 1:
        return list(rows)
    dearest = sorted(range(len(rows)), key=lambda i: -max(rows[i]["before"], rows[i]["after"]))[:_SHOWN]
    others = [row for i, row in enumerate(rows) if i not in dearest]
    rest = {"name": f"{len(others)} other layers"} | {key: _sum(others, key) for key in ("before", "after")}
    return [*(rows[i] for i in sorted(dearest)), rest]


def _sum(rows: Sequence[Document], key: str) -> float:
    return float(sum(row[key] for row in rows))


def _say(row: Document, unit: str) -> str:
    before, after = (format_quantity(_rounded(row[key], unit), unit) for key in ("before", "after"))
    return before if before == after else f"{before} → {after}"


def _rounded(value: float, unit: str) -> float:
    return value if unit else float(round(value))


TIMES = Section(reads=("layers",), summarise=_summarise, template="times.html")
