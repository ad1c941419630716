"""Layers: channels and cost of each, before and after."""

from typing import NotRequired, TypedDict

from edgeprune.report.section import Document, Section
from edgeprune.units import NOTHING


class LayerPart(TypedDict):
    """One layer that has channels or costs instructions, before and after."""

    name: str
    kind: str
    channels_before: int
    channels_after: int
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    instructions_before: float | None
    instructions_after: float | None
    latency_ms_before: NotRequired[float | None]
    latency_ms_after: NotRequired[float | None]


def _summarise(report: Document) -> Document | None:
    layers = report["layers"]
    if not layers:
        return None
    cost = "instructions" if any(layer["instructions_before"] for layer in layers) else "macs"
    # Layers that the converter folds into others cost nothing and only repeat their neighbours' channels.
    shown = [layer for layer in layers if layer[f"{cost}_before"] or layer[f"{cost}_after"]] or layers
    before, after = (sum(layer[f"{cost}_{when}"] or 0 for layer in layers) for when in ("before", "after"))
    rows = []
    for layer in shown:
        spent = (layer[f"{cost}_before"] or 0, layer[f"{cost}_after"] or 0)
        rows.append(
            {
                "layer": layer,
                "before": round(spent[0]),
                "after": round(spent[1]),
                "share_before": _share(spent[0], before),
                "share_after": _share(spent[1], after),
            }
        )
    return {
        "cost": "instructions" if cost == "instructions" else "multiply-accumulates",
        "rows": rows,
        "left_out": len(layers) - len(shown),
        "widest": max(layer["channels_before"] for layer in layers),
        "dearest": max(row["before"] for row in rows),
    }


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else NOTHING


LAYERS = Section(reads=("layers",), summarise=_summarise, template="layers.html")
