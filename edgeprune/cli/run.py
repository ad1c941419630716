"""`edgeprune run`: a model compiled to C and run, bit for bit against TFLM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.completion import complete_devices
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity

if TYPE_CHECKING:
    from edgeprune.commands.run import Target
    from edgeprune.firmware.c.layer import Optimize

_LABELS = {
    "instructions": "instructions",
    "flash_bytes": "flash",
    "code_bytes": "code",
    "ram_bytes": "RAM",
    "stack_bytes": "stack",
    "arena_bytes": "arena",
}


@click.command(cls=Command)
@click.argument("file", metavar="DIR|FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--device",
    shell_complete=complete_devices,
    metavar="ID",
    help="A name from 'edgeprune devices list', or a profile's file.  [default: what DIR was made for]",
)
@click.option(
    "--on",
    "target",
    type=click.Choice(["qemu", "host"]),
    default="qemu",
    show_default=True,
    help="qemu emulates the device's core; host is this machine, with sanitizers.",
)
@options.optimize
@click.option("--samples", type=click.IntRange(min=1), default=10, show_default=True, metavar="N")
def run(file: Path, *, device: str | None, target: Target, optimize: Optimize, samples: int) -> Answer:
    """Compile a .tflite file (or that of a build or C project) to C, run it, and compare every output.

    What runs it is edgeprune's own C engine. Samples are random; the reference is TFLM with its reference
    kernels. Exit 1 if any output differs.
    """
    from edgeprune import api

    result = api.run(file, device=device, on=target, samples=samples, optimize=optimize)
    document = result.to_json()
    text = f"{format_run(document['provenance'])}\n\n{wrap(result.sentence)}"
    return Answer(text=text, document=document, exit_code=1 if result.bit_exact is False else 0)


def format_run(provenance: Mapping[str, Mapping[str, Any]]) -> str:
    """Each figure, where it comes from, and how it was obtained.

    Args:
        provenance: figures as they stand in JSON.
    """
    columns = (
        Column(heading="figure"),
        Column(heading="value", align="right"),
        Column(heading="provenance"),
        Column(heading="how", wrap=True),
    )
    rows = [
        [
            _LABELS[name],
            format_quantity(figure["value"], figure["unit"]),
            figure["source"],
            figure["evidence"],
        ]
        for name, figure in provenance.items()
    ]
    return format_table(columns, rows)
