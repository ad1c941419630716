"""`edgeprune inspect`: what each layer costs on a device, and what can be pruned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.files import refuse_existing
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity


@click.command("inspect", cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@options.device
@options.keep
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Measure the metric against pruning ratio, group by group; needs --data.",
)
@click.option("--data", metavar="PATH|module:function", help="As for 'build'; for --sensitivity.")
@click.option(
    "--criterion",
    default="taylor",
    show_default=True,
    metavar="NAME",
    help="In which order --sensitivity switches channels off.",
)
@click.option(
    "--max-drop",
    default=0.02,
    show_default=True,
    type=options.Finite(min=0, max=1),
    metavar="D",
    help="Largest drop of the metric up to which a ratio counts as possible.",
)
@options.judging
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what --sensitivity measures as a page.",
)
@click.option(
    "--seed", default=0, show_default=True, type=options.SEED, metavar="N", help="Of the samples chosen."
)
@options.loading
@options.force
def inspect(
    model: Path, *, sensitivity: bool, data: str | None, html_file: Path | None, force: bool, **asked: Any
) -> Answer:
    """Show cost per layer, groups of channels, and what cannot be pruned and why."""
    if sensitivity and data is None:
        raise click.UsageError("--sensitivity measures on data: give --data, too.")
    if html_file is not None and not sensitivity:
        raise click.UsageError("--html shows what --sensitivity measures: give both.")
    from edgeprune import api
    from edgeprune.commands.inspect import write_sensitivity

    if html_file is not None:
        refuse_existing(html_file, force=force)
    with show_progress() as progress:
        result = api.inspect(model, data, sensitivity=sensitivity, **asked, progress=progress)
        document = result.to_json()
        if html_file is not None:
            write_sensitivity(html_file, document, force=force)
            progress.note(f"the curves are in {html_file}")
    parts = [_format_layers(document["layers"]), _format_groups(document["groups"])]
    parts.append(_format_preview(document["preview"]))
    if document["frozen"]:
        parts.append(format_frozen(document["frozen"]))
    if document["sensitivity"] is not None:
        parts.append(_format_sensitivity(document["sensitivity"]))
    parts.append(_format_totals(document))
    return Answer(text="\n\n".join(parts), document=document)


def format_frozen(frozen: Sequence[Mapping[str, Any]]) -> str:
    """Channels that stay, and why."""
    columns = (
        Column(heading="kept unpruned", wrap=True),
        Column(heading="channels", align="right"),
        Column(heading="reason", wrap=True),
    )
    return format_table(columns, [[row["layer"], str(row["channels"]), row["reason"]] for row in frozen])


def _format_layers(layers: Sequence[Mapping[str, Any]]) -> str:
    columns = (
        Column(heading="layer", wrap=True),
        Column(heading="kind", wrap=True),
        Column(heading="output", align="right", wrap=True),
        Column(heading="params", align="right"),
        Column(heading="MACs", align="right"),
        Column(heading="instr.", align="right"),
        Column(heading="share", align="right"),
        Column(heading="status"),
    )
    shown = [
        layer
        for layer in layers
        if layer["macs"] or layer["instructions"] or layer["status"] != "transparent"
    ]
    rows = [
        [
            layer["name"],
            layer["kind"],
            "x".join(map(str, layer["output_shape"])),
            format_quantity(layer["params"], ""),
            format_quantity(layer["macs"], ""),
            format_quantity(_whole(layer["instructions"]), ""),
            "" if layer["share"] is None else f"{layer['share']:.3f}",
            "" if layer["status"] == "transparent" else layer["status"],
        ]
        for layer in shown
    ]
    left_out = len(layers) - len(shown)
    note = (
        f"\n{left_out} layers that cost nothing and only pass channels on are not shown." if left_out else ""
    )
    return format_table(columns, rows) + note


def _format_groups(groups: Sequence[Mapping[str, Any]]) -> str:
    columns = (
        Column(heading="group", wrap=True),
        Column(heading="channels", align="right"),
        Column(heading="prunable", align="right"),
        Column(heading="layers", wrap=True),
    )
    rows = [
        [
            group["name"],
            str(group["channels"]) + ("" if group["unit"] == "channels" else f" {group['unit']}"),
            _format_prunable(group),
            ", ".join(group["layers"]),
        ]
        for group in groups
    ]
    return format_table(columns, rows)


def _format_preview(seen: Mapping[str, Any]) -> str:
    """The int8 file's figures, what pruning can bring them to, and what the device cannot execute."""
    if seen["reason"]:
        return wrap(f"No int8 file can be made of it: {seen['reason']}")
    columns: tuple[Column, ...] = (
        Column(heading="int8 file"),
        Column(heading="now", align="right"),
        Column(heading="at the least", align="right"),
        Column(heading="provenance"),
        Column(heading="why not", wrap=True),
    )
    rows = [
        [
            name.removesuffix("_ms").removesuffix("_bytes"),
            _format_figure(figure["value"], figure["unit"]),
            _format_figure(seen["smallest"].get(name), figure["unit"]),
            figure["source"],
            "" if figure["value"] is not None else figure["evidence"],
        ]
        for name, figure in seen["figures"].items()
    ]
    if all(not row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    notes = [
        "'at the least': every group as narrow as pruning makes it; estimated."
        if seen["smallest"]
        else "No channel may go.",
        *(f"The device cannot execute it: {item['where']}: {item['reason']}" for item in seen["unsupported"]),
    ]
    return "\n".join([format_table(columns, rows), *map(wrap, notes)])


def _format_figure(value: float | None, unit: str) -> str:
    return "" if value is None else format_quantity(value, unit)


def _format_sensitivity(study: Mapping[str, Any]) -> str:
    """The metric per group and ratio, and up to which ratio it keeps to the largest drop."""
    ratios = [point["ratio"] for point in study["families"][0]["points"]]
    columns = (
        Column(heading="group", wrap=True),
        Column(heading="ch.", align="right"),
        *(Column(heading=f"{ratio:g}".lstrip("0"), align="right") for ratio in ratios),
        Column(heading="up to", align="right"),
    )
    rows = [
        [
            family["name"],
            str(family["channels"]),
            *(_format_score(point["metric"]) for point in family["points"]),
            f"{family['largest_ratio']:g}",
        ]
        for family in study["families"]
    ]
    some = "" if study["samples"] == study["available"] else f" of {study['available']}"
    note = (
        f"{study['metric']} with that share of one group switched off, the least important by "
        f"{study['criterion']} first, on {study['samples']}{some} validation samples; "
        f"{study['whole']:.4g} with everything on. 'up to': the largest ratio before it drops by more than "
        f"{study['max_drop']:g}. Recovery is not part of it."
    )
    return f"{format_table(columns, rows)}\n{wrap(note)}"


def _format_score(value: float) -> str:
    """Three digits, without the zero that most metrics begin with."""
    text = f"{value:.3f}" if 1e-3 <= abs(value) < 10 or value == 0 else f"{value:.2g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _format_prunable(group: Mapping[str, Any]) -> str:
    prunable = group["prunable"]
    return str(prunable) if not isinstance(prunable, bool) else "yes" if prunable else "no"


def _format_totals(document: Mapping[str, Any]) -> str:
    totals = document["totals"]
    units = {"latency_ms": "ms", "latency": "ms"}
    parts = [
        f"{name.removesuffix('_ms').removesuffix('_bytes').replace('_', ' ')} "
        + format_quantity(value, "bytes" if name.endswith("_bytes") else units.get(name, ""))
        for name, value in totals.items()
        if isinstance(value, int | float)
    ]
    return wrap(f"{document['model']} on {document['device']}: {', '.join(parts)}")


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value)
