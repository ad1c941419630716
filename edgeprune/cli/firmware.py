"""`edgeprune firmware`: a project for a user's SDK."""

from pathlib import Path

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.tables import wrap
from edgeprune.quantities import format_quantity

_PROJECTS = ("cmake", "arduino", "esp-idf", "zephyr", "pico")


@click.command(cls=Command)
@click.argument("source", metavar="DIR|FILE.tflite", type=click.Path(path_type=Path))
@click.option("--runtime", type=click.Choice(["tflm"]), default="tflm", show_default=True)
@click.option(
    "--project", type=click.Choice(_PROJECTS), required=True, help="The build system it is written for."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write.  [default: the source's name and the project's]",
)
@click.option(
    "--device",
    metavar="ID",
    help="A name from 'edgeprune devices list', or a profile's file.  [default: the build's]",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Where golden inputs come from.  [default: the build's test data; random inputs for a file]",
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Number of golden samples."
)
@options.force
def firmware(
    source: Path,
    *,
    runtime: str,
    project: str,
    output: Path | None,
    device: str | None,
    data: str | None,
    samples: int,
    force: bool,
) -> Answer:
    """Write a firmware project with a model: a build's output, or any .tflite file.

    The project holds the model, a typed interface to it, the kernels it uses, an arena of the measured size,
    and a program that compares its outputs on golden samples with those of TFLM's reference kernels. Its
    README says how to build and run it.
    """
    from edgeprune.project import write_project

    result = write_project(
        source, project=project, output=output, device=device, data=data, samples=samples, force=force
    )
    needed = format_quantity(result.arena.value, "bytes")
    lines = [
        f"{result.output}: {len(result.files)} files, project of the kind {project} for {result.profile.id}.",
        f"Tensor arena: {result.arena_size_bytes} bytes are reserved, {needed} predicted "
        f"({result.arena.source}: {result.arena.evidence}).",
        f"Golden samples: {result.samples}. {result.origin}",
        f"{result.output / 'README.md'} says how to build and run it.",
    ]
    return Answer(text="\n".join(wrap(line) for line in lines), document=result.to_json())
