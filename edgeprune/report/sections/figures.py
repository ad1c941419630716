"""Figures: the dense against the pruned artefact."""

from collections.abc import Mapping
from typing import TypedDict

from edgeprune.report.section import Document, Section
from edgeprune.units import format_ratio, format_signed

Numbers = Mapping[str, float | None]
"""Figure → value; None where it is unavailable."""

_FIGURES = (
    # figure, what people call it, unit
    ("params", "parameters", ""),
    ("macs", "multiply-accumulates", ""),
    ("tflite_bytes", ".tflite file", "bytes"),
    ("flash_bytes", "flash", "bytes"),
    ("arena_bytes", "tensor arena", "bytes"),
    ("ram_bytes", "RAM", "bytes"),
    ("instructions", "instructions", ""),
    ("latency_ms", "latency", "ms"),
    ("energy_uj", "energy", "uJ"),
    ("float_accuracy", "{metric} before quantization", ""),
    ("accuracy", "{metric} of the artefact", ""),
)


class FigurePart(TypedDict):
    """A number and where it comes from, as `edgeprune.device.figures.Figure` has it."""

    value: float | None
    unit: str
    source: str
    evidence: str
    low: float | None
    high: float | None


def _summarise(report: Document) -> Document:
    metric = report["task"]["metric"] if report["task"] else "accuracy"
    rows = []
    for figure, label, unit in _FIGURES:
        dense, pruned = report["dense"].get(figure), report["pruned"].get(figure)
        origin = report["provenance"].get("pruned", {}).get(figure)
        if dense is None and pruned is None and origin is None:
            continue  # nobody asked for it; what is unavailable says why
        rows.append(
            {
                "label": label.format(metric=metric),
                "unit": unit,
                "dense": dense,
                "pruned": pruned,
                "change": _difference(pruned, dense)
                if figure.endswith("accuracy")
                else format_ratio(pruned, dense),
                "origin": origin,
            }
        )
    return {"rows": rows}


def _difference(pruned: float | None, dense: float | None) -> str:
    return format_signed(None if dense is None or pruned is None else pruned - dense, "")


FIGURES = Section(
    reads=("dense", "pruned", "provenance", "task"), summarise=_summarise, template="figures.html"
)
