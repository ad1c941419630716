"""`edgeprune bench`: how long a model takes on a board, on this machine or on a phone."""

from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.terminal.tables import wrap
from edgeprune.units import format_quantity

_FASTEST_BAUD = 50_000_000


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@options.device
@click.option(
    "--on",
    type=click.Choice(["board", "host", "adb"]),
    required=True,
    help="Listen to a board's serial port, run LiteRT here, or a test or benchmark_model on a phone.",
)
@click.option(
    "--port", default="", metavar="PORT", help="Serial port of the board, for example /dev/ttyACM0."
)
@click.option(
    "--baud",
    type=click.IntRange(min=1, max=_FASTEST_BAUD),
    default=115200,
    show_default=True,
    help="Its speed.",
)
@click.option(
    "--wait",
    type=options.Finite(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the board.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=50, show_default=True, help="Inferences, on host and phone."
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads, likewise."
)
@click.option(
    "--clock-mhz",
    type=options.Finite(min=0, min_open=True),
    help="Clock of the board's core, where it is not the profile's.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The record; else FILE.bench.json here.",
)
@click.option("--force", is_flag=True, help="Replace a record that exists.")
def bench(file: Path, *, output: Path | None, **asked: Any) -> Answer:
    """Measure the latency of a .tflite file and write a record.

    A board must run a project of 'edgeprune firmware' made from FILE; its golden check writes the time. On a
    phone the test of such a project is run if it is installed, else LiteRT's benchmark_model. Give records to
    'edgeprune devices calibrate' to fit the device's profile to them.
    """
    from edgeprune import api

    if asked["on"] == "board" and not asked["port"]:
        raise click.UsageError("--on board needs --port, for example /dev/ttyACM0 or COM3.")
    target = output or Path(f"{file.stem}.bench.json")
    with show_progress() as progress:
        result = api.bench(file, output=target, **asked, progress=progress)
    record = result.record
    median, low, high = (
        format_quantity(ms, "ms") for ms in (record.latency_ms, record.low_ms, record.high_ms)
    )
    between = f", half of {record.runs} runs between {low} and {high}" if record.runs > 1 else ""
    where = {"host": "this machine", "adb": "the phone", "board": "the board"}[record.on]
    text = f"{file.name} takes {median} on {where} with {record.runtime}{between}. Record: {target}"
    return Answer(text=wrap(text), document=result.to_json())
