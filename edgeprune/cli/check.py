"""`edgeprune check`: budgets of any `.tflite` file."""

from pathlib import Path

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.results import format_checks, format_figures
from edgeprune.terminal.tables import wrap


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@options.device
@options.flash_kib
@options.ram_kib
@options.latency_ms
@options.strict
@click.option(
    "--cores",
    metavar="CORES",
    help="Of a phone or board: big, little, a number of threads on the fastest cores, gpu or npu.",
)
def check(
    file: Path,
    *,
    device: str,
    flash_kib: float | None,
    ram_kib: float | None,
    latency_ms: float | None,
    strict: bool | None,
    cores: str | None,
) -> Answer:
    """Hold a .tflite file against a device's budgets; exit 0 if it fits, 1 if not.

    Where a budget lies within the interval of an estimate, the verdict is uncertain: it passes with a
    warning, and fails with --strict.
    """
    from edgeprune import api

    result = api.check(
        file,
        device=device,
        flash_kib=flash_kib,
        ram_kib=ram_kib,
        latency_ms=latency_ms,
        strict=bool(strict),
        cores=cores,
    )
    document = result.to_json()
    figures = format_figures(document["figures"], provenance=document["provenance"])
    checks = format_checks(document["checks"], sentence=document["sentence"])
    said = (*document["notes"], *(delegation.describe() for delegation in result.delegations))
    notes = "".join(f"\n{wrap(note)}" for note in said)
    return Answer(text=f"{figures}{notes}\n\n{checks}", document=document, exit_code=0 if result.fits else 1)
