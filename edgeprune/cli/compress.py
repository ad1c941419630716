"""`edgeprune compress`: constants of a `.tflite` file stored encoded, where TFLM can unpack them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.tables import Column, format_table, wrap
from edgeprune.quantities import NOTHING, format_quantity


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@options.device
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@options.flash_kib
@options.ram_kib
@options.latency_ms
@options.force
def compress(
    file: Path,
    *,
    device: str,
    output: Path,
    flash_kib: float | None,
    ram_kib: float | None,
    latency_ms: float | None,
    force: bool,
) -> Answer:
    """Store weights encoded that TFLM's DECODE op unpacks, where zeros or few values make the file smaller.

    The result computes the same, bit for bit, and runs in TFLM alone. A weight stays as it is where unpacking
    it would break the budget of RAM or latency. Exit 1, and no file, if nothing is worth encoding.
    """
    from edgeprune import compress_step

    flags = {"flash_kib": flash_kib, "ram_kib": ram_kib, "latency_ms": latency_ms}
    result = compress_step.compress_file(file, output=output, device=device, flags=flags, force=force)
    document = result.to_json()
    parts = [format_tensors(document["tensors"])] if document["tensors"] else []
    parts += ["\n".join(wrap(sentence) for sentence in document["sentences"])]
    parts += [wrap(document["sentence"])]
    return Answer(text="\n\n".join(parts), document=document, exit_code=0 if result.ok else 1)


def format_tensors(tensors: list[Mapping[str, Any]]) -> str:
    """The constants: what they hold, what they take before and after, what that costs, or why they stay.

    Args:
        tensors: as `TensorChoice.to_json` gives them. Those too small to matter are counted, not listed.
    """
    columns = (
        Column(heading="constant", wrap=True),
        Column(heading="read by", wrap=True),
        Column(heading="zeros", align="right"),
        Column(heading="before", align="right"),
        Column(heading="after", align="right"),
        Column(heading="arena", align="right"),
        Column(heading="instr.", align="right"),
        Column(heading="stored", wrap=True),
    )
    rows = [
        [
            row["name"] or f"tensor {row['tensors'][0]}",
            ", ".join(row["ops"]),
            NOTHING if row["sparsity"] is None else f"{row['sparsity']:.0%}",
            format_quantity(row["before_bytes"], "bytes"),
            format_quantity(row["after_bytes"], "bytes"),
            format_quantity(row["arena_bytes"], "bytes"),
            format_quantity(row["instructions"], ""),
            row["encoding"] if row["encoded"] else "as it is",
        ]
        for row in tensors
    ]
    return format_table(columns, rows)
