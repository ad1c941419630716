"""`edgeprune firmware`: a project for a user's SDK, one that is complete with the C engine, or a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.completion import complete_devices
from edgeprune.terminal.tables import wrap

_PROJECTS = ("cmake", "arduino", "esp-idf", "zephyr", "pico", "android")


@click.command(cls=Command)
@click.argument("source", metavar="DIR|FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["tflm", "c"]),
    help="Of a microcontroller. tflm: TensorFlow Lite Micro; c: edgeprune's own C engine, with start-up code "
    "and linker script.  [default: tflm]",
)
@click.option(
    "--project",
    type=click.Choice(_PROJECTS),
    help="The build system it is written for.  [default with --runtime c: cmake]",
)
@click.option(
    "--build",
    is_flag=True,
    help="With --runtime c, for cmake: build ELF, HEX, BIN (and UF2) with arm-none-eabi-gcc, and run the "
    "check in qemu.",
)
@options.optimize
@click.option(
    "--name",
    default="model",
    show_default=True,
    metavar="NAME",
    help="With --runtime c, for cmake: what the model is called in C; two in one image need two names.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write.  [default: the source's name and the project's]",
)
@click.option(
    "--device",
    shell_complete=complete_devices,
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
    runtime: Literal["tflm", "c"] | None,
    project: str | None,
    build: bool,
    name: str,
    **asked: Any,
) -> Answer:
    """Write a project with a model for a microcontroller or phone: a build's output, or any .tflite file.

    The project holds the model, an interface to it, and a program that compares its outputs on golden samples
    with those of TFLM's reference kernels. For TFLM there are besides the kernels it uses and an arena of the
    measured size, for the SDK given by --project; for the C engine the model is C with its kernels, for such
    an SDK as well, or for cmake with all that it takes to run on the core. For a phone it is an Android
    library in Kotlin, with a test that runs on the phone. Its README says how to build and run it.

    Exit 1 if the image does not fit the device or exceeds a budget, if the check does not pass, or if the
    build in DIR missed its budgets.
    """
    if runtime is not None and project == "android":
        raise click.UsageError("An Android library runs LiteRT; leave --runtime out.")
    is_complete = runtime == "c" and project in (None, "cmake")
    if build and not is_complete:
        raise click.UsageError(
            "--build needs --runtime c and a project for cmake; others are built with their own SDK."
        )
    if name != "model" and not is_complete:
        raise click.UsageError("--name needs --runtime c and a project for cmake.")
    if runtime != "c" and project is None:
        raise click.UsageError(f"Missing option '--project'. Choose from: {', '.join(_PROJECTS)}.")
    from edgeprune import api

    result = api.firmware(source, runtime=runtime, project=project, build=build, name=name, **asked)
    text = "\n".join(map(wrap, result.sentences))
    return Answer(text=text, document=result.to_json(), exit_code=0 if result.ok else 1)
