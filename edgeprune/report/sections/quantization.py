"""What quantizing did to a model as one page that needs nothing else: the ladder, and a bar per tensor."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.report.charts import draw_before_after
from edgeprune.report.markup import Markup, element
from edgeprune.report.page import compose_page, draw_section, draw_table
from edgeprune.units import NOTHING, format_drop, format_metric

_NUMBER = {"class": "number"}
_POOR_DB = 20.0
"""Below it noise is more than a tenth of the signal."""
_SHOWN_DB = 60.0
_MANY_SATURATED = 0.01


def render_quantization(document: Mapping[str, Any]) -> str:
    """The page.

    Args:
        document: as `QuantizeResult.to_json` gives it.
    """
    title = f"Quantization of {document['model']}"
    head = element(
        "header",
        {"class": "holds" if document["ok"] else "broken"},
        element("h1", {}, title),
        element("p", {"class": "soft"}, document["sentence"]),
    )
    return compose_page(title, [head, draw_ladder(document), draw_tensors(document["tensors"])])


def draw_ladder(document: Mapping[str, Any]) -> Markup:
    """What was tried, in order.

    Args:
        document: with `rungs` and `float_metric`, as `Climbed.to_json` gives them.
    """
    rows = [
        (
            element("td", {"class": "name"}, rung["name"]),
            element("td", {}, rung["detail"]),
            element("td", _NUMBER, NOTHING if rung["metric"] is None else format_metric(rung["metric"])),
            element("td", _NUMBER, NOTHING if rung["drop"] is None else format_drop(rung["drop"])),
            element(
                "td", {"class": "good" if rung["kept"] else "soft"}, "kept" if rung["kept"] else "not kept"
            ),
        )
        for rung in document["rungs"]
    ]
    note = element(
        "p",
        {"class": "soft"},
        f"On validation data, where the float model has {format_metric(document['float_metric'])}. "
        "Each rung stands on those kept above it; what is good enough is not climbed any further.",
    )
    return draw_section(
        "The ladder", draw_table(("rung", "what was done", "metric", "drop", ""), rows, numbers=(2, 3)), note
    )


def draw_tensors(tensors: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Errors of all activations, worst first; None where there are none to show.

    Args:
        tensors: as `TensorError.to_json` gives them.
    """
    if not tensors:
        return None
    rows = [
        (
            element("td", {"class": "name", "title": row["name"]}, row["layer"] or row["name"]),
            element("td", {}, row["op"]),
            element("td", {"class": _kind(poor=row["sqnr_db"] < _POOR_DB)}, f"{row['sqnr_db']:.1f}"),
            element("td", {}, _bar(row["sqnr_db"])),
            element(
                "td", {"class": _kind(poor=row["saturated"] > _MANY_SATURATED)}, f"{row['saturated']:.2%}"
            ),
            element("td", _NUMBER, f"{row['range_used']:.0%}"),
            element("td", _NUMBER, f"{row['low']:.3g} to {row['high']:.3g}"),
        )
        for row in tensors
    ]
    note = element(
        "p",
        {"class": "soft"},
        "Signal-to-quantization-noise ratio of each activation against the float file, from all that was "
        "rounded up to there; what is beyond the range that can be held; and how much of that range the "
        f"central 99.8 % of the values span. Bold below {_POOR_DB:g} dB, or with more than "
        f"{_MANY_SATURATED:.0%} saturated.",
    )
    headings = ("layer", "op", "SQNR, dB", "", "saturated", "range used", "range")
    return draw_section(
        "Where accuracy goes, worst first", draw_table(headings, rows, numbers=(2, 4, 5, 6)), note
    )


def _kind(*, poor: bool) -> str:
    return "number bad" if poor else "number"


def _bar(decibels: float) -> Markup:
    shown = min(max(decibels, 0.0), _SHOWN_DB)
    return draw_before_after(before=_SHOWN_DB, after=shown, top=_SHOWN_DB)
