"""The sensitivity of a model as one page that needs nothing else: a table, and a chart per group."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.report.charts import Panel, Point, draw_panel
from edgeprune.report.markup import Markup, element, join
from edgeprune.report.page import compose_page, draw_section, draw_table
from edgeprune.units import format_quantity

_NUMBER = {"class": "number"}


def render_sensitivity(document: Mapping[str, Any]) -> str:
    """The page.

    Args:
        document: as `Inspection.to_json` gives it, with its sensitivity.
    """
    study = document["sensitivity"]
    title = f"Sensitivity of {document['model']}"
    families = sorted(study["families"], key=lambda family: -family["largest_ratio"])
    return compose_page(title, [_head(title, study), _overview(families, study), _charts(families, study)])


def _head(title: str, study: Mapping[str, Any]) -> Markup:
    some = "" if study["samples"] == study["available"] else f" of {study['available']}"
    return element(
        "header",
        {"class": "holds"},
        element("h1", {}, title),
        element(
            "p",
            {"class": "soft"},
            f"{study['metric']} on {study['samples']}{some} validation samples, without recovery, with a "
            f"share of one group's channels switched off, the least important by {study['criterion']} "
            f"first. With all channels it is {format_quantity(study['whole'], '')}.",
        ),
    )


def _overview(families: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> Markup:
    ratios = [point["ratio"] for point in families[0]["points"]]
    rows = [
        (
            element("td", {"class": "name"}, family["name"]),
            element("td", _NUMBER, str(family["channels"])),
            *(_cell(point, study["max_drop"]) for point in family["points"]),
            element("td", _NUMBER, f"{family['largest_ratio']:g}"),
        )
        for family in families
    ]
    headings = ("group", "channels", *(f"{ratio:g}" for ratio in ratios), "largest ratio")
    note = element(
        "p",
        {"class": "soft"},
        f"{study['metric']} by the ratio that is switched off; bold where it drops by more than "
        f"{study['max_drop']:g}. The largest ratio is the last before that happens.",
    )
    table = draw_table(headings, rows, numbers=tuple(range(1, len(headings))))
    return draw_section("Groups", table, note)


def _cell(point: Mapping[str, Any], max_drop: float) -> Markup:
    kind = "number bad" if point["drop"] > max_drop else "number"
    title = f"{point['removed']} channels off: {_difference(point['drop'])}"
    return element("td", {"class": kind, "title": title}, format_quantity(point["metric"], ""))


def _charts(families: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> Markup:
    panels = []
    for family in families:
        points = [{"ratio": 0.0, "removed": 0, "metric": study["whole"], "drop": 0.0}, *family["points"]]
        panel = Panel(
            title=f"{family['name']}, {family['channels']} channels",
            unit="",
            points=[
                Point(
                    value=point["metric"],
                    kind="dense" if point["removed"] == 0 else "prune",
                    label=format_quantity(point["metric"], ""),
                    title=f"{point['ratio']:g} ({point['removed']} channels) off: "
                    f"{study['metric']} {format_quantity(point['metric'], '')}",
                )
                for point in points
            ],
            level=_allowed(study),
            level_name="allowed",
            from_zero=False,
        )
        panels.append(draw_panel(panel, labels=[f"{point['ratio']:g}" for point in points]))
    return draw_section(f"{study['metric']} against the ratio switched off", join(panels))


def _allowed(study: Mapping[str, Any]) -> float:
    whole, drop = study["whole"], study["max_drop"]
    return float(whole - drop if study["higher_is_better"] else whole * (1 + drop))


def _difference(drop: float) -> str:
    return f"{drop:.4f} worse" if drop > 0 else "no worse"
