"""Figures: the dense against the pruned artefact."""

from collections.abc import Mapping
from typing import TypedDict

from edgeprune.report.section import Document, Section
from edgeprune.units import format_metric, format_ratio, format_signed

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


def describe_metric(report: Document) -> Document | None:
    """The task's metric of the original Keras model and of the artefact, and the difference in words.

    Args:
        report: its `checks`, `dense`, `pruned` and `task`.

    Returns:
        "name", "before" and "after" as text, "change", "is_score" where more is better, and "tone", a class
        of the style sheet; None where either number is unknown.
    """
    before, after = report["dense"].get("float_accuracy"), report["pruned"].get("accuracy")
    if before is None or after is None:
        return None
    task = report["task"] or {}
    is_score = task.get("higher_is_better", True)
    is_share = is_score and min(before, after) >= 0.0 and max(before, after) <= 1.0
    lost = before - after if is_score else after - before
    return {
        "name": task.get("metric", "accuracy"),
        "before": _say_metric(before, is_share=is_share),
        "after": _say_metric(after, is_share=is_share),
        "change": _say_difference(before, after, is_share=is_share),
        "is_score": is_score,
        "tone": "good" if lost <= 0 else "bad" if _is_too_bad(report) else "unsure",
    }


def _is_too_bad(report: Document) -> bool:
    return any(check["name"] == "accuracy" and not check["ok"] for check in report["checks"])


def say_change(report: Document) -> str:
    """What became of the metric, as a sentence; "" where that is unknown."""
    metric = describe_metric(report)
    if metric is None:
        return ""
    name = f"{metric['name'][0].upper()}{metric['name'][1:]}"
    if not metric["change"]:
        return f"{name} is as before: {metric['after']}."
    up = metric["change"].startswith("+")
    amount = metric["change"].lstrip("+−")
    changed = f"{name} {'rose' if up else 'fell'} by {amount}, from {metric['before']} to {metric['after']}"
    return f"{changed}." if metric["is_score"] else f"{changed} (less is better)."


def _say_metric(value: float, *, is_share: bool) -> str:
    return f"{100 * value:.1f} %" if is_share else format_metric(value)


def _say_difference(before: float, after: float, *, is_share: bool) -> str:
    """With its sign: in points of a percentage, else as a part of what it was; "" where it is nothing."""
    if before == after:
        return ""
    sign = "+" if after > before else "−"
    size = abs(after - before)
    if is_share:
        return f"{sign}{100 * size:.2g} points" if size < 0.01 else f"{sign}{100 * size:.1f} points"
    return f"{sign}{size / abs(before):.1%}" if before else f"{sign}{format_metric(size)}"


def _difference(pruned: float | None, dense: float | None) -> str:
    return format_signed(None if dense is None or pruned is None else pruned - dense, "")


FIGURES = Section(
    reads=("dense", "pruned", "provenance", "task"), summarise=_summarise, template="figures.html"
)
