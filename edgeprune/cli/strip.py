"""`edgeprune strip`: a `.tflite` file without what no runtime reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--keep-interface/--drop-interface",
    default=False,
    help="Keep signatures, names of inputs and outputs, metadata and attached labels.  [default: drop]",
)
@options.force
def strip(file: Path, *, output: Path, keep_interface: bool, force: bool) -> Answer:
    """Drop what no runtime reads: names, calibration ranges, unused buffers and operator versions.

    The result computes the same, bit for bit; tensors and ops keep their numbers.
    """
    from edgeprune import api

    result = api.strip(file, output=output, keep_interface=keep_interface, force=force)
    document = result.to_json()
    return Answer(text=format_parts(document), document=document)


def format_parts(document: Mapping[str, Any]) -> str:
    """What the bytes are spent on before and after, and the sentence that says what was gained.

    Args:
        document: as `StripResult.to_json` gives it.
    """
    columns = (
        Column(heading="part"),
        Column(heading="before", align="right"),
        Column(heading="bytes", align="right"),
        Column(heading="after", align="right"),
        Column(heading="bytes", align="right"),
    )
    rows = [
        [old["name"], str(old["count"]), f"{old['bytes']:,}", str(new["count"]), f"{new['bytes']:,}"]
        for old, new in zip(document["before"], document["after"], strict=True)
        if old["count"] or new["count"]
    ]
    before, after = document["before_bytes"], document["after_bytes"]
    sentence = (
        f"{document['output']}: {before:,} → {after:,} bytes, {1 - after / before:.1%} smaller "
        f"({format_quantity(before, 'bytes')} → {format_quantity(after, 'bytes')}); it computes the same."
    )
    return f"{format_table(columns, rows)}\n\n{wrap(sentence)}"
