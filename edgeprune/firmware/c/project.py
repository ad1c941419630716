"""A model as a firmware project of the C engine: sources, start-up, linker scripts, golden samples."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from edgeprune.device.profile import Profile
from edgeprune.firmware.c.boards import NANOSECONDS_PER_INSTRUCTION, EmulatedBoard, find_board
from edgeprune.firmware.c.calls import name_ends
from edgeprune.firmware.c.emulator import find_command
from edgeprune.firmware.c.engine import Engine, describe_file, write_engine
from edgeprune.firmware.c.graph import CLOSE
from edgeprune.firmware.c.layer import C_TYPES, Optimize, render
from edgeprune.firmware.c.layout import Layout, lay_out_board, lay_out_device, place_weights
from edgeprune.firmware.c.program import Program
from edgeprune.firmware.c.room import LEAST_STACK_BYTES, find_room
from edgeprune.firmware.c.toolchain import choose_level
from edgeprune.firmware.golden import format_samples
from edgeprune.firmware.rendering import fill_template, render_folder, write_texts
from edgeprune.firmware.tflm import one_line
from edgeprune.firmware.wrapper import quote
from edgeprune.runtimes.golden import Golden
from edgeprune.version import __version__

DESCRIPTION = "edgeprune.json"
"""File of a project that says what it is for."""
EMULATOR, FIRMWARE = "emulator", "firmware"
"""Images of a project: for qemu, and for the device."""

_SCRIPTS = {EMULATOR: "platform/arm/emulator.ld", FIRMWARE: "platform/arm/device.ld"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EngineProject:
    """A project in a folder.

    Attributes:
        directory: the folder.
        engine: the C sources of the model.
        board: what stands for the device's core in qemu.
        layouts: image → where it lies: "emulator", and "firmware" where the profile says where.
        optimize: what the compiler is told to save.
        device: the profile's id.
    """

    directory: Path
    engine: Engine
    board: EmulatedBoard
    layouts: Mapping[str, Layout]
    optimize: Optimize
    device: str

    def script(self, image: str) -> Path:
        """The linker script of an image."""
        return self.directory / _SCRIPTS[image]

    def sources(self) -> Sequence[Path]:
        """All C files of an image."""
        folders = ("model", "application", "platform/arm")
        return [file for folder in folders for file in sorted((self.directory / folder).glob("*.c"))]


def write_engine_project(
    directory: Path,
    tflite: bytes,
    *,
    golden: Golden,
    profile: Profile,
    optimize: Optimize = "speed",
    name: str = "model",
) -> EngineProject:
    """Writes a project; the same arguments give the same files.

    Args:
        directory: where it goes; made if it is missing.
        tflite: the model's file.
        golden: samples for the check.
        profile: the device.
        optimize: what choices between kernels, and the compiler, go by.
        name: what the model is called in C: functions and macros start with `edgeprune_<name>_`.

    Raises:
        RecipeError: the C engine makes no images for the device's core, or the name is no C identifier.
        OpError: the C engine lacks an op of the model.
        OutputError: a file cannot be written.
        DataError: a golden sample cannot be written down.
    """
    board = find_board(profile.core)
    stored = sum(int(array.nbytes) for array in (*golden.inputs, *golden.outputs))
    engine = write_engine(
        tflite,
        directory=directory / "model",
        name=name,
        core=profile.core,
        optimize=optimize,
        room=find_room(profile, golden_bytes=stored),
    )
    layouts = {EMULATOR: lay_out_board(board)}
    if (on_device := lay_out_device(profile)) is not None:
        layouts[FIRMWARE] = on_device
    model, facts = engine.program.model, describe_file(tflite)
    texts = render_folder(
        "c_project",
        {
            "facts": f"edgeprune {__version__}: {facts}",
            "device": one_line(profile.id),
            "core": board.core,
            "flags": " ".join(board.flags),
            "level": " ".join(choose_level(board, optimize=optimize)),
            "images": "\n".join(f"  add_image({image} {_SCRIPTS[image]})" for image in layouts),
            "scripts": "".join(
                f"| `{_SCRIPTS[image]}` | memory of {layout.name} |\n" for image, layout in layouts.items()
            ),
            "arena_bytes": str(engine.program.plan.total_bytes),
            "io_bytes": str(sum(tensor.bytes for tensor in (*model.inputs, *model.outputs))),
            "qemu": " ".join(find_command(board, "build/emulator.elf")),
            "ticks_per_second": str(round(1e9 / board.nanoseconds_per_tick)),
            "crc32": str(crc32(tflite)),
            "model_bytes": str(len(tflite)),
            "tick_ns": f"{board.nanoseconds_per_tick:g}",
            "per_tick": f"{board.nanoseconds_per_tick / NANOSECONDS_PER_INSTRUCTION:g}",
            "on_board": _describe_board(profile, on_device),
            "labels": "| `model/labels.h` | names of the classes |\n" if golden.labels else "",
            **_render_golden(golden, engine.program),
        },
    )
    texts |= {_SCRIPTS[image]: _render_script(layout) for image, layout in layouts.items()}
    if golden.labels:
        names = "\n".join(f"    {quote(label)}," for label in golden.labels)
        texts["model/labels.h"] = render("labels.h", facts=facts, count=len(golden.labels), labels=names)
    texts = {path: _rename(text, name) for path, text in texts.items()}
    texts[DESCRIPTION] = (
        json.dumps(
            {
                "schema": 1,
                "edgeprune": __version__,
                "runtime": "c",
                "device": profile.id,
                "core": board.core,
                "optimize": optimize,
                "golden_samples": golden.samples,
            },
            indent=2,
        )
        + "\n"
    )
    write_texts(directory, texts)
    (directory / "model.tflite").write_bytes(tflite)
    return EngineProject(
        directory=directory,
        engine=engine,
        board=board,
        layouts=layouts,
        optimize=optimize,
        device=profile.id,
    )


def _rename(text: str, name: str) -> str:
    """A text of the templates, in which the model is called "model", with its name in C."""
    named = text.replace("edgeprune_model_", f"edgeprune_{name}_")
    return named.replace("EDGEPRUNE_MODEL_", f"EDGEPRUNE_{name.upper()}_")


def _describe_board(profile: Profile, layout: Layout | None) -> str:
    """A paragraph of the README."""
    if layout is None:
        return fill_template("c/board/not_on_device.md.in", {"id": profile.id})
    return fill_template("c/board/on_device.md.in", {"name": profile.name, **_describe(layout)})


def _render_script(layout: Layout) -> str:
    sizes = {
        "layout": _comment(layout.name),
        "flash_bytes": str(layout.flash.size_bytes),
        "ram_bytes": str(layout.ram.size_bytes),
        "stack_bytes": str(LEAST_STACK_BYTES),
        **place_weights(layout, region="WEIGHTS", flash="FLASH"),
        "boot_words": "".join(f"\n        LONG({word:#010x})" for word in layout.boot_words),
    }
    return fill_template("c/board/memory.ld.in", {**_describe(layout), **sizes})


def _describe(layout: Layout) -> dict[str, str]:
    return {
        "flash_name": _comment(layout.flash.name),
        "weights_name": _comment(layout.weights.name),
        "flash_origin": f"{layout.flash.origin:#010x}",
        "ram_name": _comment(layout.ram.name),
        "ram_origin": f"{layout.ram.origin:#010x}",
    }


def _comment(text: str) -> str:
    """Text that stays inside a comment of C."""
    return one_line(text).replace("*/", "")


def _render_comparers(*, exact: bool, close: bool, is_rounded: bool) -> str:
    """The functions that compare an output with what is expected, those that are called."""
    text = render("board/compare.c") if exact else ""
    relative = f"{CLOSE if is_rounded else 0.0}F"
    return text + (render("board/compare_close.c", relative=relative) if close else "")


def _render_golden(golden: Golden, program: Program) -> dict[str, str]:
    """Values of the templates of the golden samples and their check.

    Args:
        golden: the samples.
        program: the model, compiled.
    """
    ends = name_ends(program.model)
    arrays = dict(zip(ends, (*golden.inputs, *golden.outputs), strict=True))
    declared = {
        name: f"{C_TYPES[tensor.dtype]} golden_{name}[GOLDEN_SAMPLES][{tensor.elements}]"
        for name, tensor in ends.items()
    }
    reset = ["    edgeprune_model_reset();"] if program.state else []
    if reset and program.model.has_resources:  # forgets what went before; the samples are one sequence
        reset = ["    if (sample == 0) {", "        edgeprune_model_reset();", "    }"]
    inputs = [name for name in ends if name.startswith("input")]
    outputs = [name for name in ends if name.startswith("output")]
    fills = [f"    (void)memcpy({name}, golden_{name}[sample], sizeof {name});" for name in inputs]
    close = [name for name in outputs if ends[name].dtype == "float32"]
    comparisons = [
        f"compare_close(sample, {place}, golden_{name}[sample], {name}, {ends[name].elements})"
        if name in close
        else f"compare(sample, {place}, golden_{name}[sample], {name}, {ends[name].elements},\n"
        f"                   sizeof {name}[0], {str(ends[name].dtype.startswith('int')).lower()})"
        for place, name in enumerate(outputs)
    ]
    return {
        "samples": str(golden.samples),
        "origin": _comment(golden.origin),
        "buffers": "\n".join(f"static {C_TYPES[t.dtype]} {name}[{t.elements}];" for name, t in ends.items()),
        "arguments": ", ".join(ends),
        "prepare": "\n".join([*reset, *fills]),
        "comparers": _render_comparers(
            exact=len(close) < len(outputs), close=bool(close), is_rounded=program.calls_library
        ),
        "comparisons": " &&\n           ".join(comparisons),
        "golden_declarations": "\n".join(f"extern const {each};" for each in declared.values()),
        "golden_definitions": "\n".join(
            f"const {each} = {{\n{format_samples(arrays[name])}}};\n" for name, each in declared.items()
        ),
    }
