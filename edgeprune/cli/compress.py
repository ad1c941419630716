"""`edgeprune compress`: weights of a `.tflite` file stored smaller, where the runtime gains by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import NOTHING, format_quantity


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
    """Store weights smaller where zeros or few values allow it and the device's runtime can use that.

    For microcontrollers: encoded for TFLM's DECODE op. The result computes the same, bit for bit, and runs in
    TFLM alone; a weight stays as it is where unpacking it would break the budget of RAM or latency.

    For phones: without their zeros, where XNNPACK's sparse kernels take the graph. Both files are timed here.

    Exit 1, and no file, if nothing is worth it.
    """
    from edgeprune import api

    result = api.compress(
        file,
        device=device,
        output=output,
        flash_kib=flash_kib,
        ram_kib=ram_kib,
        latency_ms=latency_ms,
        force=force,
    )
    document = result.to_json()
    parts = [format_tensors(document["tensors"])] if document["tensors"] else []
    if document.get("dense") and document.get("sparse"):
        parts += [format_times(document)]
    parts += ["\n".join(wrap(sentence) for sentence in document["sentences"]), wrap(document["sentence"])]
    return Answer(text="\n\n".join(parts), document=document, exit_code=0 if result.ok else 1)


def format_times(document: Mapping[str, Any]) -> str:
    """Both files: bytes, and the time of one inference on this machine.

    Args:
        document: as `CompressResult.to_json` gives it, for a phone.
    """
    columns = (
        Column(heading="file"),
        Column(heading=".tflite", align="right"),
        Column(heading="median", align="right"),
        Column(heading="quartiles", align="right"),
        Column(heading="provenance", wrap=True),
    )
    rows = []
    for name, size in (("dense", "dense_bytes"), ("sparse", "sparse_bytes")):
        timing = document[name]
        where = f"measured on this machine, {timing['runs']} runs"
        if name == "sparse" and document["unavailable"]:
            where += ", dense kernels"
        rows.append(
            [
                name,
                format_quantity(document[size], "bytes"),
                f"{timing['median_ms']:.3g} ms",
                f"{timing['low_ms']:.3g} to {timing['high_ms']:.3g}",
                where,
            ]
        )
    return format_table(columns, rows)


def format_tensors(tensors: list[Mapping[str, Any]]) -> str:
    """The constants: what they hold, what they take before and after, how they are stored, or why they stay.

    Args:
        tensors: as `TensorChoice` (with what unpacking costs) or `SparseTensor` stand in JSON.
    """
    costs = "arena_bytes" in tensors[0]
    columns = [
        Column(heading="constant", wrap=True),
        Column(heading="read by", wrap=True),
        Column(heading="zeros", align="right"),
        Column(heading="before", align="right"),
        Column(heading="after", align="right"),
        *((Column(heading="arena", align="right"), Column(heading="instr.", align="right")) if costs else ()),
        Column(heading="stored", wrap=True),
    ]
    return format_table(columns, [_format_tensor(row, costs=costs) for row in tensors])


def _format_tensor(row: Mapping[str, Any], *, costs: bool) -> list[str]:
    index = row["tensors"][0] if costs else row["tensor"]
    cells = [
        row["name"] or f"tensor {index}",
        ", ".join(row["ops"]),
        NOTHING if row["sparsity"] is None else f"{row['sparsity']:.0%}",
        format_quantity(row["before_bytes"], "bytes"),
        format_quantity(row["after_bytes"], "bytes"),
    ]
    if costs:  # why a constant stays is said in sentences, for there is no room
        cells += [format_quantity(row["arena_bytes"], "bytes"), format_quantity(row["instructions"], "")]
        return [*cells, row["encoding"] if row["encoded"] else "as it is"]
    return [*cells, "without zeros" if row["encoded"] else f"as it is: {row['reason']}"]
