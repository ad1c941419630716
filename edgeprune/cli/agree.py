"""`edgeprune agree`: does a file compute the same in every runtime?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import NOTHING


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    metavar="PATH|module:function",
    help="As for 'build'; the test part is used.  [default: random inputs]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many inputs.  [default: what reference kernels compute in seconds, 100 at most]",
)
@click.option(
    "--seed", default=0, show_default=True, type=options.SEED, metavar="N", help="Of the inputs' choice."
)
def agree(file: Path, *, data: str | None, samples: int | None, seed: int) -> Answer:
    """Run a .tflite file on the same inputs in LiteRT, with and without XNNPACK, tflite-runtime and TFLM.

    Exit 1 if TFLM differs from LiteRT's reference kernels by more than one quantization step: what is
    measured on this machine then does not hold on the device.
    """
    from edgeprune import api

    result = api.agree(file, data, samples=samples, seed=seed)
    document = result.to_json()
    head = f"{document['samples']} inputs ({document['inputs']}) against {document['reference']}:"
    text = "\n\n".join([wrap(head), format_runtimes(document["runtimes"]), wrap(document["sentence"])])
    return Answer(text=text, document=document, exit_code=0 if result.ok else 1)


def format_runtimes(rows: list[Mapping[str, Any]]) -> str:
    """One row per runtime: the largest difference, how many elements differ, how many answers change.

    Args:
        rows: as `Compared.to_json` gives them.
    """
    columns = (
        Column(heading="runtime", wrap=True),
        Column(heading="largest difference", align="right"),
        Column(heading="elements that differ", align="right"),
        Column(heading="changed answers", align="right"),
    )
    notes = [wrap(f"{row['runtime']}: {row['unavailable']}") for row in rows if row["unavailable"]]
    return "\n".join([format_table(columns, [_format_row(row) for row in rows]), *notes])


def _format_row(row: Mapping[str, Any]) -> list[str]:
    if row["unavailable"]:
        return [row["runtime"], NOTHING, NOTHING, NOTHING]
    steps = row["max_difference_steps"]
    gap = (
        f"{row['max_difference_fraction']:.1e} of range"
        if steps is None
        else f"{steps} step{'' if steps == 1 else 's'}"
    )
    differing = f"{row['differing_elements']} of {row['elements']}"
    return [row["runtime"], gap, differing, f"{row['changed_top1']} of {row['samples']}"]
