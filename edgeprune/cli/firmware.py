"""`edgeprune firmware`: a project for a user's SDK, or one that is complete with the C engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import wrap
from edgeprune.units import format_quantity

if TYPE_CHECKING:
    from edgeprune.commands.engine_firmware import EngineProjectResult
    from edgeprune.commands.firmware import ProjectResult

_PROJECTS = ("cmake", "arduino", "esp-idf", "zephyr", "pico")


@click.command(cls=Command)
@click.argument("source", metavar="DIR|FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["tflm", "c"]),
    default="tflm",
    show_default=True,
    help="tflm: TensorFlow Lite Micro; c: edgeprune's own C engine, with start-up code and linker script.",
)
@click.option(
    "--project",
    type=click.Choice(_PROJECTS),
    help="The build system it is written for; the C engine has cmake alone.",
)
@click.option(
    "--build",
    is_flag=True,
    help="With --runtime c: build ELF, HEX, BIN (and UF2) with arm-none-eabi-gcc, and run the check in qemu.",
)
@options.optimize
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
    source: Path, *, runtime: Literal["tflm", "c"], project: str | None, build: bool, **asked: Any
) -> Answer:
    """Write a firmware project with a model: a build's output, or any .tflite file.

    The project holds the model, an interface to it, and a program that compares its outputs on golden samples
    with those of TFLM's reference kernels. For TFLM there are besides the kernels it uses and an arena of the
    measured size, for the SDK given by --project; for the C engine the model is C, and all is there that it
    takes to run on the core. Its README says how to build and run it.

    Exit 1 if the image does not fit the device, or the check does not pass.
    """
    if runtime == "c" and project not in (None, "cmake"):
        raise click.UsageError(f"--runtime c writes a CMake project, not one for {project}.")
    if runtime == "tflm" and project is None:
        raise click.UsageError(f"Missing option '--project'. Choose from: {', '.join(_PROJECTS)}.")
    if runtime == "tflm" and build:
        raise click.UsageError("--build needs --runtime c; TFLM is built with the project's own SDK.")
    from edgeprune import api
    from edgeprune.commands.engine_firmware import EngineProjectResult

    result = api.firmware(source, runtime=runtime, project=project, build=build, **asked)
    document = result.to_json()
    if isinstance(result, EngineProjectResult):
        lines = describe_engine_project(result)
    else:
        lines = describe_project(result)
    text = "\n".join(wrap(line) for line in lines)
    return Answer(text=text, document=document, exit_code=0 if document.get("ok", True) else 1)


def describe_project(result: ProjectResult) -> list[str]:
    """Paragraphs on a TFLM project."""
    needed = format_quantity(result.arena.value, "bytes")
    flash = format_quantity(result.flash.value, "bytes")
    return [
        f"{result.output}: {len(result.files)} files, project of the kind {result.project} for "
        f"{result.profile.id}.",
        f"Tensor arena: {result.arena_size_bytes} bytes are reserved, {needed} predicted "
        f"({result.arena.source}: {result.arena.evidence}).",
        f"Flash: {flash} predicted for the CMake project, and {result.golden_bytes} bytes of golden samples "
        "in the program that checks them.",
        f"Golden samples: {result.samples}. {result.origin}",
        f"{result.output / 'README.md'} says how to build and run it.",
    ]


def describe_engine_project(result: EngineProjectResult) -> list[str]:
    """Paragraphs on a project of the C engine."""
    document = result.to_json()
    lines = [
        f"{result.output}: {len(result.files)} files, C project for {result.profile.id}.",
        f"Arena: {result.arena_bytes} bytes, beside inputs and outputs.",
        f"Golden samples: {result.samples}. {result.origin}",
    ]
    if document["images"] is not None:
        lines += _describe_images(document)
    else:
        lines.append(f"{result.output / 'README.md'} says how to build and run it; --build does both.")
    return lines


def _describe_images(document: Mapping[str, Any]) -> list[str]:
    sizes, run = document["sizes"], document["run"]
    lines = [
        f"Images: {', '.join(document['images'].values())}.",
        f"Flash, read back from the ELF: {sizes['flash']} bytes ({sizes['code']} of code, {sizes['weights']} "
        f"of weights), and {sizes['golden']} of golden samples. Static RAM: {sizes['ram']} bytes.",
    ]
    if len(document["images"]) == 1:
        lines.append(
            f"There is no image for the device: the profile {document['device']} does not say where its "
            "memories begin."
        )
    if "uf2" in document["images"]:
        lines.append(
            "The UF2 holds the program alone; README.md says which parts want a header in front of it."
        )
    if run["passed"]:
        lines.append(
            f"PASS in qemu: {run['instructions']} instructions for one inference, {run['stack_bytes']} bytes "
            "of stack."
        )
    else:
        lines.append(f"FAIL in qemu: {run['said']}")
    return lines
