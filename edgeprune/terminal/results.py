"""The tables of `build` and `check`: what was found, what was asked, and by how much it fits or not."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.figures import FIGURES
from edgeprune.report.schema import Report
from edgeprune.report.sections.budgets import BudgetPart
from edgeprune.report.sections.checks import is_undecided, word_verdict
from edgeprune.report.sections.figures import Numbers
from edgeprune.report.sections.quantization import NOT_TRIED, judge
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import (
    NOTHING,
    format_drop,
    format_metric,
    format_quantity,
    format_ratio,
    format_signed,
    say_drop,
    short_unit,
)

_LOUD = ("exceeds", "unknown", "broken")
"""Verdicts that nobody should overlook."""
_HELD_AGAINST = {kind.figure: kind.name for kind in BUDGETS.values()} | {"accuracy": "accuracy"}


def format_report(report: Report) -> str:
    """Dense against pruned figures, zeros and how they are stored, then the checks and their sentence."""
    metric = report.task["metric"] if report.task else "accuracy"
    scheme = report.settings.get("scheme", "int8")
    budgets = {budget["name"]: budget for budget in report.budgets}
    rows = []
    for figure, kind in FIGURES.items():
        label, unit = kind.label, kind.unit
        dense, pruned = report.dense.get(figure), report.pruned.get(figure)
        if dense is None and pruned is None:
            continue
        rows.append(
            [
                label.replace("int8", str(scheme)).format(metric=metric),
                format_quantity(dense, unit),
                format_quantity(pruned, unit),
                format_ratio(pruned, dense) if unit or float(pruned or 0) > 1 else _difference(dense, pruned),
                *_judge(dense, budgets.get(_HELD_AGAINST.get(figure, "")), report.checks),
            ]
        )
    columns = (
        Column(heading="figure"),
        Column(heading="dense", align="right"),
        Column(heading="pruned", align="right"),
        Column(heading="change", align="right"),
        Column(heading="budget", align="right"),
        Column(heading="dense model", wrap=True),
    )
    watched = report.task.get("metrics", [])[1:] if report.task else []
    for part in watched:
        files = (
            ("float", part["dense_float"], part["pruned_float"]),
            (str(scheme), part["dense"], part["pruned"]),
        )
        for form, before, after in files:
            figures = (format_metric(before), format_metric(after), _difference(before, after))
            rows.append([f"{part['name']}, {form}", *figures, "", ""])
    checks = format_checks(report.checks, sentence=report.sentence)
    parts = [format_table(columns, rows), *_say_direction(report)]
    if report.sparsity:
        sentences = [report.sparsity["why"], *report.sparsity["stored"]]
        parts.append("\n".join(wrap(sentence) for sentence in sentences if sentence))
    ladder = report.quantization["ladder"] if report.quantization else None
    if ladder and len(ladder["rungs"]) > 1:
        metric = report.task["metric"] if report.task else "the metric"
        parts.append(wrap(describe_ladder(ladder, metric=metric)))
    return "\n\n".join([*parts, checks])


def _say_direction(report: Report) -> list[str]:
    """A line on the metrics that are errors, if there are any."""
    metrics = report.task.get("metrics", []) if report.task else []
    errors = [part["name"] for part in metrics if not part["higher_is_better"]]
    return [wrap(f"Less is better: {', '.join(errors)}.")] if errors else []


def describe_ladder(ladder: Mapping[str, Any], *, metric: str) -> str:
    """What quantizing cost and what was gained back, in a sentence or two.

    Args:
        ladder: as `Climbed.to_json` gives it.
        metric: its name.
    """
    first, *tried = ladder["rungs"]
    kept = [rung for rung in tried if rung["kept"]]
    lost = f"Plain int8 loses {format_drop(first['drop'])} of {metric} on validation data"
    if not kept:
        verdicts = judge(ladder["rungs"])[1:]
        names = [
            f"{rung['name']} ({verdict})"
            for rung, verdict in zip(tried, verdicts, strict=True)
            if verdict != NOT_TRIED
        ]
        return f"{lost}; nothing that was tried is surely better: {', '.join(names)}."
    return f"{lost}, and {say_drop(kept[-1]['drop'])} after {', '.join(rung['name'] for rung in kept)}."


def format_checks(checks: Sequence[Mapping[str, Any]], *, sentence: str) -> str:
    """Value, budget, margin, provenance and verdict of each check, notes on what is not known, the sentence.

    Args:
        checks: as `Check.to_json` gives them.
        sentence: the verdict.
    """
    lines = [format_table(CHECK_COLUMNS, list_check_rows(checks))]
    lines += [
        wrap(f"{check['name']}: {check['evidence']}")
        for check in checks
        # Why it is broken; for a budget of the device, the margin says it all.
        if check["value"] is None or not (check["ok"] or check["name"] in BUDGETS)
    ]
    lines += [wrap(f"{check['name']}: {check['note']}") for check in checks if is_undecided(check)]
    lines += [_warn_of_interval(check) for check in checks if check["verdict"] == "uncertain"]
    return "\n".join([*lines, "", wrap(sentence)])


CHECK_COLUMNS = (
    Column(heading="check", wrap=True),
    Column(heading="value", align="right"),
    Column(heading="budget", align="right"),
    Column(heading="margin", align="right"),
    Column(heading="provenance"),
    Column(heading="verdict"),
)


def list_check_rows(checks: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each check, as `CHECK_COLUMNS` has them."""
    return [
        [
            check["name"],
            format_quantity(check["value"], check["unit"]),
            _format_budget(check["budget"], check["unit"], at_least=check["at_least"]),
            format_signed(check["margin"], short_unit(check["unit"])),
            check["source"],
            _word_verdict(check),
        ]
        for check in checks
    ]


def format_figures(figures: Numbers, *, provenance: Mapping[str, Mapping[str, Any]]) -> str:
    """Each figure with the interval of an estimate, where it comes from, and how it was obtained."""
    columns = (
        Column(heading="figure"),
        Column(heading="value", align="right"),
        Column(heading="between", align="right"),
        Column(heading="provenance"),
    )
    rows, notes = [], []
    for figure, value in figures.items():
        label, unit = FIGURES[figure].label, FIGURES[figure].unit
        origin = provenance.get(figure, {})
        low, high = origin.get("low"), origin.get("high")
        if figure == "instructions" and low is not None and high is not None:
            low, high = round(low), round(high)
        between = "" if low is None else f"{format_quantity(low, unit)}..{format_quantity(high, unit)}"
        cells = [label.format(metric="accuracy"), format_quantity(value, unit), between]
        rows.append([*cells, str(origin.get("source", ""))])
        if origin.get("evidence"):
            notes.append(wrap(f"{cells[0]}: {origin['evidence']}", indent="  "))
    return "\n".join([format_table(columns, rows), "", *notes])


def _word_verdict(check: Mapping[str, Any]) -> str:
    word = word_verdict(check)
    return word.upper() if word in _LOUD else word


def _warn_of_interval(check: Mapping[str, Any]) -> str:
    low, high, budget = (format_quantity(check[key], check["unit"]) for key in ("low", "high", "budget"))
    means = "; measure it with edgeprune bench" if check["name"] == "latency" else ""
    return wrap(f"{check['name']}: {check['source']}, between {low} and {high}: {budget} lies within{means}")


def _judge(
    dense: float | None, budget: BudgetPart | None, checks: Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    """The budget, and whether the dense model would have met it."""
    if budget is None:
        return "", ""
    name, value, unit = budget["name"], budget["value"], budget["unit"]
    at_least = any(check["name"] == name and check["at_least"] for check in checks)
    text = _format_budget(value, unit, at_least=at_least)
    if dense is None:
        return text, "not known"
    excess = value - dense if at_least else dense - value
    return text, f"over by {format_quantity(excess, unit)}" if excess > 0 else "fits"


def _format_budget(budget: float | None, unit: str, *, at_least: bool) -> str:
    text = format_quantity(budget, short_unit(unit))
    return f"≥ {text}" if at_least and text != NOTHING else text


def _difference(dense: float | None, pruned: float | None) -> str:
    if dense is None or pruned is None:
        return NOTHING
    return format_signed(pruned - dense, "")
