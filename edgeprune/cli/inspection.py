"""`edgeprune inspect`: what each layer costs on a device, and what can be pruned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.tables import Column, format_table, wrap
from edgeprune.quantities import format_quantity


@click.command("inspect", cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@options.device
def inspect(model: Path, *, device: str) -> Answer:
    """Show cost per layer, groups of channels, and what cannot be pruned and why."""
    from edgeprune import explore

    document = explore.inspect(model, device=device).to_json()
    parts = [_format_layers(document["layers"]), _format_groups(document["groups"])]
    if document["frozen"]:
        parts.append(format_frozen(document["frozen"]))
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
        [group["name"], str(group["channels"]), _format_prunable(group), ", ".join(group["layers"])]
        for group in groups
    ]
    return format_table(columns, rows)


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
