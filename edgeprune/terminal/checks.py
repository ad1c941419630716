"""What `check` says of many devices, of an earlier check, and to a CI that shows Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.figures import FIGURES
from edgeprune.terminal.results import CHECK_COLUMNS, list_check_rows
from edgeprune.terminal.tables import Column, format_markdown_table, format_table, wrap
from edgeprune.units import NOTHING, format_quantity, format_ratio

_DEVICE_COLUMNS = (
    Column(heading="device"),
    Column(heading="takes", align="right"),
    *(Column(heading=kind.label, align="right") for kind in BUDGETS.values()),
    Column(heading="verdict", wrap=True),
)
_LEFT = "Percentages are what is left of each budget."
_CHANGE_COLUMNS = (
    Column(heading="device"),
    Column(heading="figure"),
    Column(heading="before", align="right"),
    Column(heading="now", align="right"),
    Column(heading="change", align="right"),
)


def format_devices(document: Mapping[str, Any]) -> str:
    """A row for each device, with what is left of each budget, and the sentence.

    Args:
        document: as `DeviceChecks.to_json` gives it.
    """
    lines = [format_table(_DEVICE_COLUMNS, _list_devices(document))]
    lines += [wrap(f"{device}: {why}") for device, why in document["failures"].items()]
    return "\n".join([*lines, "", wrap(f"{_LEFT} {document['file']} {document['sentence']}")])


def format_comparison(comparison: Mapping[str, Any]) -> str:
    """The regressions since an earlier check, and the sentence.

    Args:
        comparison: as `BaselineComparison.to_json` gives it.
    """
    worse = [change for change in comparison["changes"] if change["regression"]]
    table = [format_table(_CHANGE_COLUMNS, _list_changes(worse)), ""] if worse else []
    return "\n".join([*table, wrap(comparison["sentence"])])


def format_markdown(document: Mapping[str, Any]) -> str:
    """The answer of `check` as a summary of a CI job: what regressed first, then all there is.

    Args:
        document: as `CheckResult.to_json` or `DeviceChecks.to_json` gives it.
    """
    parts = [f"### {document['file']}", _begin(document["sentence"])]
    if "baseline" in document:
        comparison = document["baseline"]
        changed = [change for change in comparison["changes"] if change["before"] != change["after"]]
        parts.append(f"**{_begin(comparison['sentence'])}**")
        if changed:
            parts.append(format_markdown_table(_CHANGE_COLUMNS, _list_changes(changed)))
    if "devices" in document:
        parts += [format_markdown_table(_DEVICE_COLUMNS, _list_devices(document)), _LEFT]
        parts += [f"- {device}: {why}" for device, why in document["failures"].items()]
    else:
        parts.append(format_markdown_table(CHECK_COLUMNS, list_check_rows(document["checks"])))
    return "\n\n".join(parts)


def _begin(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _list_devices(document: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            row["device"],
            format_quantity(row["figures"]["latency_ms"], "ms"),
            *(_format_left(row["checks"], name) for name in BUDGETS),
            _word_verdict(row),
        ]
        for row in document["devices"]
    ]


def _format_left(checks: Sequence[Mapping[str, Any]], name: str) -> str:
    check = next(check for check in checks if check["name"] == name)
    if check["margin"] is None or not check["budget"]:
        return NOTHING
    return f"{check['margin'] / check['budget']:.0%}".replace("-", "−")


def _word_verdict(row: Mapping[str, Any]) -> str:
    """What fits, or what does not."""
    broken = [check["name"] for check in row["checks"] if not check["ok"]]
    if broken:
        return f"NO: {', '.join(broken)}"
    uncertain = any(check["verdict"] == "uncertain" for check in row["checks"])
    return "uncertain" if uncertain else "fits"


def _list_changes(changes: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            change["device"],
            FIGURES[change["figure"]].label if change["figure"] in FIGURES else change["figure"],
            *(_format_change(change, change[when]) for when in ("before", "after")),
            _format_growth(change),
        ]
        for change in changes
    ]


def _format_growth(change: Mapping[str, Any]) -> str:
    worse = ", WORSE" if change["regression"] else ""
    ratio = NOTHING if change["figure"] == "verdict" else format_ratio(change["after"], change["before"])
    return ratio + worse


def _format_change(change: Mapping[str, Any], value: float | None) -> str:
    if change["figure"] == "verdict":
        return "fits" if value else "does not fit"
    return format_quantity(value, change["unit"])
