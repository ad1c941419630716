"""`edgeprune quantize`: an int8 file that keeps its accuracy, and where it would be lost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.cli.completion import complete_devices
from edgeprune.files import refuse_existing
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import NOTHING, format_drop, format_metric

_WORST_SHOWN = 12


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    metavar="PATH|module:function",
    help="Training, validation and test data, as for 'build'.",
)
@click.option("--output", type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option("--explain", is_flag=True, help="Show the errors of all tensors, worst first.")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path), help="Write the explanation as a page, too."
)
@click.option(
    "--device",
    shell_complete=complete_devices,
    metavar="ID",
    help="Try int16x8 only where its runtime can execute it.",
)
@click.option(
    "--io-type",
    type=click.Choice(["int8", "uint8", "float32"]),
    help="Of inputs and outputs.  [default: int8]",
)
@options.calibration
@click.option(
    "--max-drop",
    type=options.DropType(),
    metavar="D",
    help="How much of the metric quantizing may cost: 0.005 in its own unit, or 2% of what it was.  "
    "[default: 0.005 of a score, 0.5% of an error]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    metavar="N",
    help="Of quantization-aware recovery, where nothing cheaper does; 0 for none.",
)
@options.training
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True, metavar="N", help="Of everything random."
)
@options.loading
@options.force
def quantize(model: Path, *, explain: bool, html_file: Path | None, **asked: Any) -> Answer:
    """Quantize MODEL to int8, measure what that costs, and try what makes it cost less.

    In this order, each measured on validation data and kept if it pays, until the drop is small enough: more
    calibration samples, range clipping (percentile, then least squared error), cross-layer equalization,
    bias correction, quantization-aware recovery, 16-bit activations.

    Exit 1 if the file still loses more than --max-drop on test data; it is written all the same.
    """
    if asked["output"] is None and not explain and html_file is None:
        raise click.UsageError("Nothing to do: give --output, --explain or --html.")
    if html_file is not None:
        refuse_existing(html_file, force=asked["force"])
    from edgeprune import api
    from edgeprune.commands.quantize import write_quantization

    with show_progress() as progress:
        result = api.quantize(model, **asked, progress=progress)
    document = result.to_json()
    if html_file is not None:
        write_quantization(html_file, document, force=asked["force"])
    parts = [format_ladder(document)]
    if explain and document["tensors"]:
        parts.append(format_errors(document["tensors"]))
    parts.append(wrap(document["sentence"]))
    return Answer(text="\n\n".join(parts), document=document, exit_code=0 if result.ok else 1)


def format_ladder(document: Mapping[str, Any]) -> str:
    """What was tried, in order.

    Args:
        document: with `rungs` and `metric`, as `QuantizeResult.to_json` gives them.
    """
    columns = (
        Column(heading="step", wrap=True),
        Column(heading="what was done", wrap=True),
        Column(heading=f"validation {document['metric']}", align="right"),
        Column(heading="drop", align="right"),
        Column(heading="kept"),
    )
    rows = [["float", "the Keras model", format_metric(document["float_metric"]), NOTHING, ""]]
    for rung in document["rungs"]:
        if rung["metric"] is None:
            rows.append([rung["name"], rung["detail"], NOTHING, NOTHING, ""])
            continue
        kept = "yes" if rung["kept"] else "no"
        found = [format_metric(rung["metric"]), format_drop(rung["drop"])]
        rows.append([rung["name"], rung["detail"], *found, kept])
    return format_table(columns, rows)


def format_errors(tensors: Sequence[Mapping[str, Any]]) -> str:
    """The activations that lose most, worst first.

    Args:
        tensors: as `TensorError.to_json` gives them, worst first.
    """
    columns = (
        Column(heading="layer", wrap=True),
        Column(heading="op"),
        Column(heading="SQNR, dB", align="right"),
        Column(heading="saturated", align="right"),
        Column(heading="range used", align="right"),
    )
    rows = [
        [
            row["layer"] or row["name"],
            row["op"],
            f"{row['sqnr_db']:.1f}",
            f"{row['saturated']:.2%}",
            f"{row['range_used']:.0%}",
        ]
        for row in tensors[:_WORST_SHOWN]
    ]
    table = format_table(columns, rows)
    hidden = len(tensors) - len(rows)
    return (
        f"{table}\n{wrap(f'{hidden} more are better; --json and --html show all.')}" if hidden > 0 else table
    )
