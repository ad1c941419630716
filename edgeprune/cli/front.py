"""`edgeprune front`: the results of a sweep, of any builds."""

from pathlib import Path

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.terminal.sweeps import format_sweep


@click.command(cls=Command)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where sweep.html, sweep.json and sweep.parquet are written.  [default: the first DIR]",
)
def front(folders: tuple[Path, ...], *, output: Path | None) -> Answer:
    """Compare builds: accuracy against budgets, means over seeds, and the Pareto front for each device.

    DIR are outputs of 'edgeprune build', sweeps, or folders that they are in. Exit 1 if no build holds what
    was asked of it.
    """
    from edgeprune import api

    with show_progress() as progress:
        result = api.front(folders, output=output, progress=progress)
    return Answer(
        text=format_sweep(result.to_json(), result.folder),
        document=result.to_json(),
        exit_code=0 if result.ok else 1,
    )
