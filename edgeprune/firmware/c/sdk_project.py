"""A project of the C engine for a user's SDK: that of a TFLM project, with the model as C in TFLM's place."""

from dataclasses import dataclass
from pathlib import Path

from edgeprune.device.profile import Profile
from edgeprune.device.record import ENGINE
from edgeprune.firmware.c.boards import instructions_of
from edgeprune.firmware.c.calls import name_ends
from edgeprune.firmware.c.engine import Engine, write_engine
from edgeprune.firmware.c.graph import compile_model
from edgeprune.firmware.c.layer import Optimize
from edgeprune.firmware.c.program import Program
from edgeprune.firmware.c.room import CODE_HIGH, Room, find_room, guess_code_bytes
from edgeprune.firmware.golden import FittedGolden, fit_golden
from edgeprune.firmware.project import ProjectKind, render_kind
from edgeprune.firmware.rendering import write_texts
from edgeprune.runtimes.golden import Golden
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SdkProject:
    """What was written.

    Attributes:
        engine: the C sources of the model.
        golden: samples in the check.
    """

    engine: Engine
    golden: FittedGolden


def write_sdk_project(
    directory: Path,
    tflite: bytes,
    *,
    kind: ProjectKind,
    golden: Golden,
    profile: Profile,
    optimize: Optimize = "speed",
) -> SdkProject:
    """Writes a project; the same arguments give the same files.

    Args:
        directory: where it goes; made if it is missing.
        tflite: the model's file.
        kind: which build system.
        golden: samples for the check; those that do not fit the flash beside the model are left out.
        profile: the device.
        optimize: what choices between kernels go by.

    Raises:
        OpError: the C engine lacks an op of the model.
        ModelError: an input or output is of a type that C++ lacks.
        OutputError: a file cannot be written.
        DataError: a golden sample cannot be written down.
    """
    least = compile_model(
        read_model(tflite, where="model.tflite"),
        prefix="model",
        instructions=instructions_of(profile.core),
        optimize=optimize,
        room=Room(flash_bytes=0),
    )
    room_bytes = profile.flash_kib and profile.flash_kib * 1024 - _guess_flash_bytes(least)
    if least.model.has_resources:
        # The check resets the model before each sample; later ones go on from the first.
        golden = golden.take(1)
    fitted = fit_golden(golden, room_bytes=room_bytes, is_exact=not least.calls_library)
    engine = write_engine(
        tflite,
        directory=directory / kind.sources / "model",
        core=profile.core,
        optimize=optimize,
        room=find_room(profile, golden_bytes=fitted.bytes),
    )
    texts = render_kind(
        kind,
        _render_values(engine.program, profile),
        runtime="c",
        tflite=tflite,
        model=engine.program.model,
        golden=fitted,
        profile=profile,
        image_bytes=_guess_flash_bytes(engine.program) + fitted.bytes,
    )
    write_texts(directory, texts)
    return SdkProject(engine=engine, golden=fitted)


def _guess_flash_bytes(program: Program) -> float:
    """Of the model's constants and, at most, code."""
    return program.constant_bytes + CODE_HIGH * guess_code_bytes([step.layer for step in program.steps])


def _render_values(program: Program, profile: Profile) -> dict[str, str]:
    """Values of the templates in `templates/runtimes/c`."""
    model, arena_bytes = program.model, program.plan.total_bytes
    ends_bytes = sum(tensor.bytes for tensor in (*model.inputs, *model.outputs))
    return {
        "arena_bytes": str(arena_bytes),
        "arguments": _render_arguments(model),
        "core": profile.core,
        "depends": "",
        "init_fails": "Always true.",
        "inputs_after": "Inputs keep their values.",
        "library_header": "",
        "memory": f"The arena takes {arena_bytes} bytes, inputs and outputs {ends_bytes}.",
        "reset": "  edgeprune_model_reset();\n" if program.state else "",
        "runtime": ENGINE,
        "runtime_of_library": " in C",
        "runtime_options": "",
        "tolerance_steps": "0",
        "used_before_init": "",
    }


def _render_arguments(model: Model) -> str:
    """Those of the invoke function, which takes truth values as bytes."""
    numbers = {"input": 0, "output": 0}
    arguments = []
    for name, tensor in name_ends(model).items():
        side = "input" if name.startswith("input") else "output"
        memory = f"{side}{numbers[side]}"
        numbers[side] += 1
        arguments.append(f"reinterpret_cast<uint8_t*>({memory})" if tensor.dtype == "bool" else memory)
    return ", ".join(arguments)
