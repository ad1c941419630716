"""`edgeprune devices`: the profiles that ship, one of them, or a file of one's own."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.tables import Column, format_table, wrap
from edgeprune.quantities import NOTHING, format_quantity


@click.group()
def devices() -> None:
    """List, show and validate device profiles."""


@devices.command("list", cls=Command)
def list_devices() -> Answer:
    """List the devices edgeprune knows, with their default budgets."""
    from edgeprune.device.profile import list_profiles

    profiles = list_profiles()
    columns = (
        Column(heading="device"),
        Column(heading="core"),
        Column(heading="MHz", align="right"),
        Column(heading="kernels"),
        Column(heading="flash", align="right"),
        Column(heading="RAM", align="right"),
        Column(heading="latency", align="right"),
    )
    rows = [
        [
            profile.id,
            profile.core,
            f"{profile.clock_mhz:g}",
            profile.runtime.kernels,
            _format_kib(profile.budgets.flash_kib),
            _format_kib(profile.budgets.ram_kib),
            format_quantity(profile.budgets.latency_ms, "ms"),
        ]
        for profile in profiles
    ]
    note = "flash, RAM and latency are the budgets of a build that asks for no others."
    text = f"{format_table(columns, rows)}\n\n{wrap(note)}"
    return Answer(text=text, document={"devices": [asdict(profile) for profile in profiles]})


@devices.command("show", cls=Command)
@click.argument("device", metavar="ID")
def show_device(device: str) -> Answer:
    """Show everything a profile says, with its sources."""
    from edgeprune.device.profile import load_profile

    document = asdict(load_profile(device))
    rows = [[key, value] for key, value in _flatten(document)]
    columns = (Column(heading="key"), Column(heading="value", wrap=True))
    return Answer(text=format_table(columns, rows), document={"device": document})


@devices.command("validate", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
def validate_device(file: Path) -> Answer:
    """Find all errors of a profile; exit 1 if there are any, 3 if the file cannot be read."""
    from edgeprune.device.profile import validate_profile
    from edgeprune.errors import ProfileError

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


def _format_kib(kib: float | None) -> str:
    return format_quantity(None if kib is None else kib * 1024, "bytes")


def _flatten(part: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys with their values, as the profile's file has them."""
    if isinstance(part, dict):
        return [row for key, value in part.items() for row in _flatten(value, f"{prefix}.{key}".lstrip("."))]
    if isinstance(part, list | tuple):
        if all(isinstance(item, str) for item in part):
            return [(prefix, "; ".join(part) or NOTHING)]
        return [row for i, item in enumerate(part) for row in _flatten(item, f"{prefix}[{i}]")]
    return [(prefix, NOTHING if part is None or part == "" else str(part))]
