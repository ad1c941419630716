"""What the artefact answers to the test samples: a confusion matrix, or values against values."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from markupsafe import Markup

from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH, draw_both
from edgeprune.report.markup import Attributes, element
from edgeprune.report.section import Document, Section

_DARKEST = 0.45
"""How much colour a cell has at most, so that the number in it stays readable."""
_SQUARE = 300.0
"""Height of the area of values, in pixels."""


class ConfusedPart(TypedDict):
    """A mistake and how often it was made: samples of one class that were taken for another."""

    label: str
    answer: str
    count: int


class AnswersPart(TypedDict):
    """The artefact's answers on the test samples.

    For "classes", `counts[i][j]` samples of class i of `labels` were taken for class j; both are empty where
    there are too many classes, and `confused` has the most frequent mistakes in any case. For "values",
    `counts` is a histogram: rows are ranges of the true value and columns of the artefact's, both of equal
    width from `low` to `high`. `against` says what the truth is, and `samples` counts answers: a sample may
    have several.
    """

    kind: Literal["classes", "values"]
    against: str
    samples: int
    labels: list[str]
    counts: list[list[int]]
    confused: list[ConfusedPart]
    low: float | None
    high: float | None


def _summarise(report: Document) -> Document | None:
    answers: AnswersPart | None = report["answers"]
    if answers is None:
        return None
    if answers["kind"] == "values":
        chart = draw_both(lambda width: _draw_values(answers, width=width))
        return {"answers": answers, "rows": [], "chart": chart}
    rows = [
        {"name": name, "cells": _describe_row(counts, place)}
        for place, (name, counts) in enumerate(zip(answers["labels"], answers["counts"], strict=True))
    ]
    return {"answers": answers, "rows": rows, "chart": None}


def _describe_row(counts: Sequence[int], right: int) -> list[Document]:
    """Cells of a class: coloured by their share of the class."""
    whole = sum(counts) or 1
    return [
        {"count": count, "tint": f"{100 * _DARKEST * count / whole:.0f}%", "is_right": place == right}
        for place, count in enumerate(counts)
    ]


def _draw_values(answers: AnswersPart, *, width: float) -> Markup:
    """A histogram of the artefact's values against the true ones: what is right lies on the diagonal."""
    low, high = answers["low"] or 0.0, answers["high"] or 0.0
    ticks = place_ticks(low, high, unit="", from_zero=False)
    plot = Plot(
        width=width,
        height=_SQUARE + 40.0,
        left=LEFT if width == WIDTH else 52.0,
        right=16.0,
        top=10.0,
        bottom=30.0,
        across=(ticks[0], ticks[-1]),
        up=(ticks[0], ticks[-1]),
    )
    counts = answers["counts"]
    step, most = (high - low) / len(counts), max(map(max, counts)) or 1
    boxes = []
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                x, y = plot.x(low + i * step), plot.y(low + (j + 1) * step)
                size = {"width": plot.x(low + (i + 1) * step) - x, "height": plot.y(low + j * step) - y}
                opacity = 0.15 + 0.85 * (count / most) ** 0.5
                look: Attributes = {"class": "density", "fill-opacity": opacity}
                boxes.append(element("rect", {**look, "x": x, "y": y, **size}))
    ends: Attributes = {
        "class": "level",
        "x1": plot.x(ticks[0]),
        "y1": plot.y(ticks[0]),
        "x2": plot.x(ticks[-1]),
        "y2": plot.y(ticks[-1]),
    }
    return plot.draw(
        "values of the artefact against the true ones",
        plot.draw_rows(ticks, unit=""),
        plot.draw_columns(ticks, unit=""),
        *boxes,
        element("line", ends),
    )


ANSWERS = Section(reads=("answers",), summarise=_summarise, template="answers.html")
