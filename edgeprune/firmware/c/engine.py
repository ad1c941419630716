"""The road of the C engine: a `.tflite` file to C sources in a directory."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from edgeprune.errors import RecipeError
from edgeprune.files import writing
from edgeprune.firmware.c.boards import instructions_of
from edgeprune.firmware.c.graph import compile_model
from edgeprune.firmware.c.layer import Optimize
from edgeprune.firmware.c.program import Program
from edgeprune.firmware.c.room import Room
from edgeprune.firmware.c.source import format_sources
from edgeprune.tflite.read import read_model

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Engine:
    """C sources of a model.

    Attributes:
        name: what the model is called in C.
        program: the compiled model.
        files: the files written.
    """

    name: str
    program: Program
    files: tuple[Path, ...]


def write_engine(
    tflite: bytes,
    *,
    directory: Path,
    name: str = "model",
    core: str = "",
    optimize: Optimize = "speed",
    room: Room | None = None,
) -> Engine:
    """Compiles a model; the same arguments give the same files, byte for byte.

    Args:
        tflite: the model's file.
        directory: where the files go; made if it is missing. Files of the same names are replaced.
        name: what the model is called in C: lower-case letters, digits and underscores.
        core: what it is for, for example "Cortex-M7"; any C compiler takes the files whatever the core, but
            kernels are chosen for it.
        optimize: what choices between kernels go by.
        room: what kernels may take that are faster and larger than others; None for any amount.

    Raises:
        ModelError: the file cannot be read.
        OpError: the C engine lacks an op, or what the op asks for.
        RecipeError: the name is no C identifier.
        OutputError: a file cannot be written.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise RecipeError(
            f"'{name}' cannot be part of a C identifier", fix="use lower-case letters, digits and underscores"
        )
    model = read_model(tflite, where=f"{name}.tflite")
    program = compile_model(
        model, prefix=name, instructions=instructions_of(core), optimize=optimize, room=room
    )
    facts = describe_file(tflite)
    written = []
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in format_sources(program, name=name, facts=facts).items():
            written.append(directory / file)
            written[-1].write_text(text, "utf-8")
    return Engine(name=name, program=program, files=tuple(written))


def describe_file(tflite: bytes) -> str:
    """What the sources say they were made from."""
    return f"{len(tflite)} bytes, SHA-256 {hashlib.sha256(tflite).hexdigest()}"
