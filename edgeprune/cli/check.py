"""`edgeprune check`: budgets of any `.tflite` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.completion import complete_devices
from edgeprune.terminal.checks import format_comparison, format_devices, format_markdown
from edgeprune.terminal.results import format_checks, format_figures
from edgeprune.terminal.tables import wrap

if TYPE_CHECKING:
    from edgeprune.commands.check import CheckResult, DeviceChecks


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--device",
    shell_complete=complete_devices,
    required=True,
    metavar="ID|PATTERN|all",
    help="A name from 'edgeprune devices list', or a profile's file; 'all', or patterns such as 'nucleo-*', "
    "several after commas, for many.",
)
@options.flash_kib
@options.ram_kib
@options.latency_ms
@options.strict
@click.option(
    "--cores",
    metavar="CORES",
    help="Of a phone or board: big, little, a number of threads on the fastest cores, gpu or npu.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What an earlier check wrote with --json; exit 1 if something got worse.",
)
@click.option(
    "--tolerance",
    type=options.Finite(min=0, max=1, max_open=True),
    default=0.01,
    show_default=True,
    metavar="F",
    help="By which fraction of what they were figures may grow.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="markdown is for the summary of a CI job.",
)
def check(file: Path, *, device: str, form: Literal["text", "markdown"], **asked: Any) -> Answer:
    """Hold a .tflite file against a device's budgets; exit 0 if it fits, 1 if not.

    Of many devices, those with most to spare come first; exit 0 if it fits any of them. Where a budget lies
    within the interval of an estimate, the verdict is uncertain: it passes with a warning, and fails with
    --strict.
    """
    from edgeprune import api
    from edgeprune.commands.check import CheckResult
    from edgeprune.device.selection import means_many

    asked["strict"] = bool(asked["strict"])
    result: CheckResult | DeviceChecks
    if means_many(device):
        result = api.check(file, device=[device], **asked)
    else:
        result = api.check(file, device=device, **asked)
    document = result.to_json()
    exit_code = 0 if result.ok else 1
    if form == "markdown":
        return Answer(text=format_markdown(document), document=document, exit_code=exit_code)
    text = _format_one(result) if isinstance(result, CheckResult) else format_devices(document)
    if result.comparison is not None:
        text += "\n\n" + format_comparison(document["baseline"])
    return Answer(text=text, document=document, exit_code=exit_code)


def _format_one(result: CheckResult) -> str:
    """Figures, notes and checks of one device."""
    document = result.to_json()
    figures = format_figures(document["figures"], provenance=document["provenance"])
    said = (*document["notes"], *(delegation.describe() for delegation in result.delegations))
    notes = "".join(f"\n{wrap(note)}" for note in said)
    checks = format_checks(document["checks"], sentence=document["sentence"])
    return f"{figures}{notes}\n\n{checks}"
