"""`edgeprune build`: the main job."""

from pathlib import Path
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.build_options import GroupedCommand, build_options
from edgeprune.cli.command import show_progress
from edgeprune.config.recipe import read_recipe
from edgeprune.terminal.results import format_report
from edgeprune.terminal.tables import wrap

DEFAULT_OUTPUT = "edgeprune-out"
_LIKELIEST = ("cortex-m4", "cortex-m7", "esp32-s3", "nrf52840-dk", "android-mid")
"""Devices that stand for most of what people have."""


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

    Without MODEL, a small network is trained on scikit-learn's digits first.
    """
    written = read_recipe(recipe) if recipe else {}
    if flags["device"] is None and "device" not in written:
        raise click.UsageError(_ask_for_device())
    if flags["clusters"] is not None and (flags["final_sparsity"] is not None or flags["mask"] is not None):
        raise click.UsageError("--clusters and --sparsity cannot be combined; choose one.")
    output = flags.pop("output") or written.get("output") or Path(DEFAULT_OUTPUT)

    from edgeprune import api

    with show_progress() as progress:
        result = api.build(**flags, output=output, recipe=recipe, progress=progress)
    return Answer(text=format_report(result.report), document=result.to_json())


def _ask_for_device() -> str:
    from edgeprune.device.profile import list_ids, load_profile
    from edgeprune.terminal.devices import format_devices

    count = len(list_ids())
    table = format_devices([load_profile(name) for name in _LIKELIEST], of=count)
    advice = (
        "Your board's own name is best: 'edgeprune devices list' has all, and takes --core, --kind and "
        "--min-ram. Where it is missing, give the name of its core and the board's --flash-kib and "
        "--ram-kib, or start a profile with 'edgeprune devices new'."
    )
    return f"Missing option '--device'. The likeliest:\n\n{table}\n\n{wrap(advice)}"
