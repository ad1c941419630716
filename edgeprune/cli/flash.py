"""`edgeprune flash`: a built project onto a board."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.completion import complete_devices
from edgeprune.terminal.tables import printable, wrap

if TYPE_CHECKING:
    from edgeprune.firmware.flashing import Method


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--device",
    "--board",
    "device",
    shell_complete=complete_devices,
    metavar="ID",
    help="A name from 'edgeprune devices list', or a profile's file.  [default: what DIR was made for]",
)
@click.option(
    "--method",
    type=click.Choice(["pyocd", "esptool", "openocd", "uf2", "copy"]),
    help="By what tool; uf2 and copy go to the drive that the board shows.  [default: the profile's]",
)
@click.option("--target", metavar="NAME", help="What the tool calls the device.  [default: the profile's]")
@click.option("--volume", type=click.Path(path_type=Path), help="Where the board's drive is mounted.")
@click.option("--port", metavar="PORT", help="The serial port, for esptool.  [default: the one it finds]")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Print what would be done.")
def flash(
    folder: Path,
    *,
    device: str | None,
    method: Method | None,
    target: str | None,
    volume: Path | None,
    port: str | None,
    is_dry_run: bool,
) -> Answer:
    """Bring the image of a built project (or a build's output directory) onto a board."""
    from edgeprune.commands.flash import flash as flash_folder

    result = flash_folder(
        folder,
        device=device,
        method=method,
        target=target,
        volume=volume,
        port=port,
        is_dry_run=is_dry_run,
    )
    plan = result.plan
    step = f"cp {shlex.quote(str(plan.image))} {shlex.quote(str(plan.volume))}"
    if plan.command:
        step = shlex.join(plan.command)
        if plan.directory is not None:
            step = f"cd {shlex.quote(str(plan.directory))} && {step}"
    done = f"{plan.image.name} is on {result.profile.id}." if result.done else "Not done: this is a dry run."
    document = result.to_json()
    note = [wrap(document["note"])] if document["note"] else []
    return Answer(text="\n".join([printable(step), *note, wrap(done)]), document=document)
