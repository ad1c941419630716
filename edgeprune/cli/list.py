"""`edgeprune list`: the names that flags take, and the layers and ops edgeprune knows."""

from collections.abc import Sequence
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap


@click.group("list")
def listing() -> None:
    """List options, methods, criteria, schedules, schemes, layers, ops and the like."""


@listing.command("criteria", cls=Command)
def list_criteria() -> Answer:
    """How channels can be ranked."""
    from edgeprune.prune.criteria import CRITERIA

    rows = [
        {
            "name": item.name,
            "needs_data": item.needs_data,
            "normalise": item.normalise,
            "summary": item.summary,
        }
        for _, item in CRITERIA.items()
    ]
    return _answer("criteria", rows)


@listing.command("methods", cls=Command)
def list_methods() -> Answer:
    """How models are made smaller, in the order of a build."""
    from edgeprune.methods.method import METHODS, PHASES

    rows = [
        {"name": name, "phase": phase, "summary": method.title}
        for phase in PHASES
        for name, method in METHODS.items()
        if method.phase == phase
    ]
    return _answer("methods", rows)


@listing.command("metrics", cls=Command)
def list_metrics() -> Answer:
    """What --metric takes beside the metrics that a model was compiled with, and 'loss'."""
    from edgeprune.keras_bridge.training.metrics import METRICS

    rows = [
        {
            "name": name,
            "better": "higher" if item.higher_is_better else "lower",
            "aliases": list(item.aliases),
            "summary": item.summary,
        }
        for name, item in METRICS.items()
    ]
    return _answer("metrics", rows)


@listing.command("losses", cls=Command)
def list_losses() -> Answer:
    """What --loss takes; a model's own losses need no name here."""
    from edgeprune.keras_bridge.training.losses import LOSSES

    rows = [
        {"name": name, "labels": item.labels, "metric": item.metric, "aliases": list(item.aliases)}
        for name, item in LOSSES.items()
    ]
    return _answer("losses", rows)


@listing.command("normalisers", cls=Command)
def list_normalisers() -> Answer:
    """How scores of different layers are made comparable."""
    from edgeprune.prune.criteria import NORMALISERS

    return _answer(
        "normalisers", [{"name": name, "summary": item.summary} for name, item in NORMALISERS.items()]
    )


@listing.command("schedules", cls=Command)
def list_schedules() -> Answer:
    """How the reduction is divided into steps."""
    from edgeprune.prune.schedules import SCHEDULES

    return _answer("schedules", [{"name": name, "summary": item.summary} for name, item in SCHEDULES.items()])


@listing.command("schemes", cls=Command)
def list_schemes() -> Answer:
    """How models can be quantized."""
    from edgeprune.tflite.schemes import SCHEMES

    rows = [
        {
            "name": name,
            "needs_data": item.needs_data,
            "io_types": list(item.io_types),
            "summary": item.summary,
        }
        for name, item in SCHEMES.items()
    ]
    return _answer("schemes", rows)


@listing.command("layers", cls=Command)
def list_layers() -> Answer:
    """What happens to each layer kind; kinds that are not listed are kept unpruned."""
    from edgeprune.graph.layers.rules import RULES

    # Where Keras keeps its own models' layers is no name that a user knows.
    rows = [
        {"kind": kind.removeprefix("keras.src."), "status": item.status, "note": item.note}
        for kind, item in RULES.items()
    ]
    return _answer("layers", rows)


@listing.command("ops", cls=Command)
def list_ops() -> Answer:
    """Which TFLite ops the runtimes have kernels for."""
    from edgeprune.tflite.op_table import OPS

    rows = [
        {
            "op": kind.name,
            "tflm": kind.tflm_method is not None,
            "tflm_dtypes": list(kind.tflm_dtypes),
            "litert_versions": None if kind.litert_versions is None else list(kind.litert_versions),
        }
        for kind in OPS.values()
    ]
    return _answer("ops", rows)


@listing.command("options", cls=Command)
def list_options() -> Answer:
    """What 'build' can be asked for, on the command line or in a recipe alone."""
    from edgeprune.config import build_options

    rows = [
        {
            "name": item.name,
            "group": text.group,
            "flag": (build_options.flags_of(item, text) or ("recipe only",))[0],
            "default": build_options.describe_default(item, text),
            "summary": text.help,
        }
        for item, text in build_options.list_options()
    ]
    parts = []
    for group in build_options.GROUPS:
        cells = [[row["name"], row["flag"], _tell(row)] for row in rows if row["group"] == group]
        columns = [Column(heading="name"), Column(heading="flag"), Column(heading=group, wrap=True)]
        parts.append(format_table(columns, cells))
    note = "A recipe is a TOML file with these names as keys; [layers.PATTERN] is a table for each pattern."
    return Answer(text="\n\n".join([*parts, wrap(note)]), document={"options": rows})


def _tell(row: dict[str, str]) -> str:
    return row["summary"] + (f" Default: {row['default']}." if row["default"] else "")


def _answer(name: str, rows: Sequence[dict[str, Any]]) -> Answer:
    """A table with one column per key of the rows, and the same rows as a document."""
    columns = [Column(heading=key.replace("_", " "), wrap=key in _LONG) for key in rows[0]]
    cells = [[_format_cell(key, value) for key, value in row.items()] for row in rows]
    return Answer(text=format_table(columns, cells), document={name: list(rows)})


_LONG = ("summary", "note", "aliases", "tflm_dtypes", "io_types")


def _format_cell(key: str, value: Any) -> str:
    if key == "litert_versions":
        return "no" if value is None else f"{value[0]} to {value[1]}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
