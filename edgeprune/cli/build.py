"""`edgeprune build`: the main job."""

from pathlib import Path
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.build_options import GroupedCommand, build_options
from edgeprune.config.recipe import read_recipe
from edgeprune.terminal.progress import show_progress
from edgeprune.terminal.results import format_report

DEFAULT_OUTPUT = "edgeprune-out"


@click.command(
    cls=GroupedCommand,
    epilog="'edgeprune list options' lists all, also those that a recipe alone takes.",
)
@build_options
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file with any of these options; flags beat it.",
)
def build(*, recipe: Path | None, **flags: Any) -> Answer:
    """Prune MODEL until it fits a device, and prove it.

    Without MODEL, a small network on scikit-learn's digits is trained and pruned as an example.
    """
    written = read_recipe(recipe) if recipe else {}
    if flags["device"] is None and "device" not in written:
        raise click.UsageError("Missing option '--device'; 'edgeprune devices list' shows what there is.")
    if flags["clusters"] is not None and (flags["final_sparsity"] is not None or flags["mask"] is not None):
        raise click.UsageError("--clusters and --sparsity cannot be combined; choose one.")
    output = flags.pop("output") or written.get("output") or Path(DEFAULT_OUTPUT)

    from edgeprune import api

    with show_progress() as progress:
        result = api.build(**flags, output=output, recipe=recipe, progress=progress)
    return Answer(text=format_report(result.report), document=result.to_json())
