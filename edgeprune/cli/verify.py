"""`edgeprune verify`: whether a build's output directory is what its manifest says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.terminal.tables import Column, format_table, printable, wrap


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--rebuild", is_flag=True, help="Build the request in the manifest again, and compare the bytes."
)
@click.option("--trust", is_flag=True, help="With --rebuild: let the Python run that the request names.")
def verify(folder: Path, *, rebuild: bool, trust: bool) -> Answer:
    """Hold DIR, which 'build' wrote, against its manifest; exit 0 if it matches, 1 if not.

    Files that the manifest does not list are named, and change nothing. --rebuild takes the model and the
    data from where the request says; paths are relative to the current directory, as they were.
    """
    from edgeprune import api

    with show_progress() as progress:
        result = api.verify(folder, rebuild=rebuild, trust=trust, progress=progress)
    document = result.to_json()
    return Answer(text=_format(document), document=document, exit_code=0 if result.ok else 1)


def _format(document: Mapping[str, Any]) -> str:
    rebuilt = document["rebuilt"] or {"differing": ()}
    rows = [
        *([path, "missing"] for path in document["missing"]),
        *([path, f"changed: {why}"] for path, why in document["changed"].items()),
        *([path, "not in the manifest"] for path in document["extra"]),
        *([path, "other bytes when built again"] for path in rebuilt["differing"]),
    ]
    sentence = wrap(printable(document["sentence"]))
    if not rows:
        return sentence
    columns = (Column(heading="file"), Column(heading="what"))
    return f"{format_table(columns, [[printable(path), what] for path, what in rows])}\n\n{sentence}"
