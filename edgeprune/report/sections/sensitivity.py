"""The sensitivity of a model: the metric with more and more of one group's channels switched off."""

from collections.abc import Sequence
from typing import TypedDict

from markupsafe import Markup

from edgeprune.report.charts import Panel, Point, draw_both, draw_panel
from edgeprune.report.marks import Mark
from edgeprune.report.section import Document
from edgeprune.report.sections.steps import MARKS
from edgeprune.units import format_quantity


class SensitivityPointPart(TypedDict):
    """`removed` channels are a share `ratio` of the group's; `drop` is of the metric, above zero if worse."""

    ratio: float
    removed: int
    metric: float
    drop: float


class FamilyPart(TypedDict):
    """One group; up to `largest_ratio` every drop is allowed."""

    name: str
    channels: int
    layers: list[str]
    points: list[SensitivityPointPart]
    largest_ratio: float


class SensitivityPart(TypedDict):
    """The `sensitivity` of `inspect --json`; `whole` is the metric with all channels."""

    criterion: str
    metric: str
    higher_is_better: bool
    samples: int
    available: int
    whole: float
    max_drop: float
    families: list[FamilyPart]


def summarise_sensitivity(document: Document) -> Document:
    """The variables of `sensitivity.html`.

    Args:
        document: as `Inspection.to_json` gives it, with its sensitivity.
    """
    study: SensitivityPart = document["sensitivity"]
    families = sorted(study["families"], key=lambda family: -family["largest_ratio"])
    return {
        "title": f"Sensitivity of {document['model']}",
        "study": study,
        "families": families,
        "columns": [
            "group",
            ("channels", "number"),
            *((f"{point['ratio']:g}", "number") for point in families[0]["points"]),
            ("largest ratio", "number"),
        ],
        "charts": [_describe_chart(family, study) for family in families],
    }


def _describe_chart(family: FamilyPart, study: SensitivityPart) -> Document:
    title = f"{family['name']}, {family['channels']} channels"
    return {"title": title, "chart": _draw_family(family, study, title=title)}


def _draw_family(family: FamilyPart, study: SensitivityPart, *, title: str) -> Markup:
    whole: SensitivityPointPart = {"ratio": 0.0, "removed": 0, "metric": study["whole"], "drop": 0.0}
    points: Sequence[SensitivityPointPart] = [whole, *family["points"]]
    panel = Panel(
        title=title,
        unit="",
        points=[
            Point(
                value=point["metric"],
                mark=_mark(point),
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
    names = [f"{point['ratio']:g}" for point in points]
    return draw_both(lambda width: draw_panel(panel, names=names, width=width))


def _mark(point: SensitivityPointPart) -> Mark:
    return MARKS["dense" if point["removed"] == 0 else "prune"]


def _allowed(study: SensitivityPart) -> float:
    whole, drop = study["whole"], study["max_drop"]
    return float(whole - drop if study["higher_is_better"] else whole * (1 + drop))
