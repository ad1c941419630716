"""`edgeprune devices`: the profiles that ship, one of them, or a file of one's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity

if TYPE_CHECKING:
    pass

_AT_LEAST = options.Finite(min=0, min_open=True)


@click.group()
def devices() -> None:
    """List, show, start and validate device profiles."""


@devices.command("list", cls=Command)
@click.option("--core", metavar="TEXT", help="Part of the core's name, for example m7 or cortex-m33.")
@click.option("--kind", type=click.Choice(("mcu", "phone", "sbc")), help="Only devices of this kind.")
@click.option("--runtime", metavar="NAME", help="A runtime or its kernels, for example c or cmsis-nn.")
@click.option("--min-ram", type=_AT_LEAST, metavar="KIB", help="Least RAM in one block, in KiB.")
@click.option("--min-flash", type=_AT_LEAST, metavar="KIB", help="Least flash, in KiB.")
def list_devices(
    *,
    core: str | None,
    kind: Literal["mcu", "phone", "sbc"] | None,
    runtime: str | None,
    min_ram: float | None,
    min_flash: float | None,
) -> Answer:
    """List the devices edgeprune knows; exit 1 if none is as asked."""
    from edgeprune import api
    from edgeprune.terminal.devices import describe_choice, format_devices

    profiles = api.devices()
    chosen = api.devices(
        core=core,
        kind=kind,
        runtime=runtime,
        min_ram_kib=min_ram or 0.0,
        min_flash_kib=min_flash or 0.0,
    )
    document = {"devices": [asdict(profile) for profile in chosen], "of": len(profiles)}
    if not chosen:
        from edgeprune.measuring.runtime import list_runtimes

        runtimes = [name for profile in profiles for name in list_runtimes(profile)]
        return Answer(text=describe_choice(profiles, runtimes=runtimes), document=document, exit_code=1)
    return Answer(text=format_devices(chosen, of=len(profiles)), document=document)


@devices.command("show", cls=Command)
@click.argument("device", metavar="ID")
def show_device(device: str) -> Answer:
    """Show everything a profile says, with its sources."""
    from edgeprune.device.profile import load_profile
    from edgeprune.terminal.devices import format_device

    profile = load_profile(device)
    return Answer(text=format_device(profile), document={"device": asdict(profile)})


@devices.command("new", cls=Command)
@click.argument("file", metavar="FILE.toml", type=click.Path(path_type=Path))
@click.option("--from", "origin", required=True, metavar="ID", help="The device, or profile, to start from.")
@options.force
def new_device(file: Path, *, origin: str, force: bool) -> Answer:
    """Start a profile of your own from one that exists.

    The name of the file becomes its id, and its first lines say what to change.
    """
    from edgeprune.device.draft import draft_profile

    draft_profile(file, origin=origin, force=force)
    text = (
        f"{file} is a copy of {origin}. Its first lines say what to change; 'edgeprune devices validate "
        f"{file}' finds all errors, and --device {file} uses it."
    )
    return Answer(text=wrap(text), document={"file": str(file), "id": file.stem, "from": origin})


@devices.command("schema", cls=Command)
def print_schema() -> Answer:
    """Print the JSON Schema of profiles, for editors."""
    from edgeprune.measuring.profiles import make_profile_schema

    schema = make_profile_schema()
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return Answer(text=text, document={"json_schema": schema})


@devices.command("calibrate", cls=Command)
@click.argument("device", metavar="ID")
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RECORD...")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The profile to write; else ID where it is a file, or ID.toml here.",
)
@options.force
def calibrate_device(device: str, records: tuple[Path, ...], *, output: Path | None, force: bool) -> Answer:
    """Fit a profile's latency to what 'edgeprune bench' measured, and write the profile."""
    from edgeprune.commands.calibrate import calibrate

    result = calibrate(device, records, output=output, force=force)
    columns = [Column(heading="model", wrap=True)]
    columns += [Column(heading=heading, align="right") for heading in ("measured", "before", "after")]
    rows = [
        [row.file, *(format_quantity(ms, "ms") for ms in (row.measured_ms, row.before_ms, row.after_ms))]
        for row in result.rows
    ]
    spread = f"{result.law.low:.2f} to {result.law.high:.2f} times the estimate"
    note = f"Fitted: {result.method}. Nine of ten models are expected at {spread}. Profile: {result.output}"
    return Answer(text=f"{format_table(columns, rows)}\n\n{wrap(note)}", document=result.to_json())


@devices.command("validate", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
def validate_device(file: Path) -> Answer:
    """Find all errors of a profile.

    Exit 1 if there are any, 3 if there is no such file.
    """
    from edgeprune.errors import ProfileError
    from edgeprune.measuring.profiles import validate_profile

    if not file.is_file():
        raise ProfileError("there is no such file", where=str(file), fix="check the path")
    errors = validate_profile(file)
    lines = [f"{file}: {error}" for error in errors] or [f"{file} is a valid profile."]
    document = {
        "file": str(file),
        "ok": not errors,
        "errors": [{"key": error.key, "problem": error.problem} for error in errors],
    }
    return Answer(text="\n".join(map(wrap, lines)), document=document, exit_code=1 if errors else 0)
