"""C sources and a small program around them, linked for an emulated board or for this machine."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from edgeprune.errors import ToolFailedError, ToolMissingError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.engine import Engine
from edgeprune.firmware.c.layer import C_TYPES, Optimize, render
from edgeprune.firmware.c.source import name_ends
from edgeprune.workdir import writing

_WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_LEVELS: dict[Optimize, tuple[str, ...]] = {
    "speed": ("-O2", "-fno-schedule-insns"),
    "size": ("-Os",),
    "ram": ("-O2",),
}
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSizes:
    """Sizes of a linked image in bytes, read back from the ELF.

    Attributes:
        flash: all that is stored: code, constants, start values.
        code: the same without `weights.c`.
        weights: what `weights.c` became.
        ram: static memory without the stack, and without the samples of the program around the model.
    """

    flash: int
    code: int
    weights: int
    ram: int


def build_image(
    engine: Engine, *, directory: Path, board: EmulatedBoard, optimize: Optimize = "speed"
) -> tuple[Path, ImageSizes]:
    """An ELF that runs samples in the emulator, and its sizes.

    Args:
        engine: the C sources.
        directory: where the ELF and its objects go.
        board: what to link for.
        optimize: what the compiler is told to save.

    Raises:
        ToolMissingError: `arm-none-eabi-gcc` is not installed.
        ToolFailedError: it failed, for example because the image does not fit the board.
    """
    ends = name_ends(engine.program.model)
    values = {
        "machine": board.machine,
        "code_origin": f"{board.code[0]:#010x}",
        "code_length": f"{board.code[1]}K",
        "data_origin": f"{board.data[0]:#010x}",
        "data_length": f"{board.data[1]}K",
        "buffers": "\n".join(f"static {C_TYPES[t.dtype]} {name}[{t.elements}];" for name, t in ends.items()),
        "arguments": ", ".join(ends),
        "reset": _call_reset(engine),
        "reads": " ||\n            ".join(
            f"(move_bytes(READ, input_file, {name}, sizeof {name}) != 0)"
            for name in ends
            if name.startswith("input")
        ),
        "writes": "\n".join(
            f"        (void)move_bytes(WRITE, output_file, {name}, sizeof {name});"
            for name in ends
            if name.startswith("output")
        ),
    }
    elf = directory / "image.elf"
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        runner = render("board/runner.c", **values).replace("edgeprune_model_", f"edgeprune_{engine.name}_")
        (directory / "runner.c").write_text(runner, "utf-8")
        (directory / "image.ld").write_text(render("board/image.ld", **values), "utf-8")
    sources = [path for path in engine.files if path.suffix == ".c"]
    include = f"-I{engine.files[0].parent}"
    for source in (*sources, directory / "runner.c"):
        target = directory / f"{source.stem}.o"
        flags = (*board.flags, "-mthumb", *_LEVELS[optimize], "-ffunction-sections", "-fdata-sections")
        _run("arm-none-eabi-gcc", *flags, *_WARNINGS, include, "-c", str(source), "-o", str(target))
    _run(
        "arm-none-eabi-gcc",
        *board.flags,
        "-mthumb",
        "-nostartfiles",
        "-Wl,--gc-sections",
        f"-T{directory / 'image.ld'}",
        *(str(directory / f"{stem}.o") for stem in ("model", "weights", "runner")),
        "-o",
        str(elf),
    )
    return elf, read_sizes(elf)


def build_host_program(engine: Engine, *, directory: Path, flags: Sequence[str] = ()) -> Path:
    """A program for this machine that reads inputs of samples from stdin and writes outputs to stdout.

    Args:
        engine: the C sources.
        directory: where it goes.
        flags: further options of the compiler, for example `-fsanitize=address,undefined`.

    Raises:
        ToolMissingError: `gcc` is not installed.
        ToolFailedError: it failed.
    """
    ends = name_ends(engine.program.model)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        source = render(
            "board/host.c",
            invoke=f"edgeprune_{engine.name}_invoke",
            buffers="\n".join(f"static {C_TYPES[t.dtype]} {name}[{t.elements}];" for name, t in ends.items()),
            arguments=", ".join(ends),
            reset=_call_reset(engine),
            reads=" &&\n           ".join(
                f"(fread({name}, sizeof {name}, 1, stdin) == 1)" for name in ends if name.startswith("input")
            ),
            writes="\n".join(
                f"        (void)fwrite({name}, sizeof {name}, 1, stdout);"
                for name in ends
                if name.startswith("output")
            ),
        )
        (directory / "host.c").write_text(source, "utf-8")
    program = directory / "host"
    sources = [str(path) for path in engine.files if path.suffix == ".c"]
    include = f"-I{engine.files[0].parent}"
    _run("gcc", "-O1", *_WARNINGS, *flags, include, *sources, str(directory / "host.c"), "-o", str(program))
    return program


def _call_reset(engine: Engine) -> str:
    """Samples are unrelated, so each starts from nothing."""
    return f"edgeprune_{engine.name}_reset();\n        " if engine.program.model.is_stateful else ""


def read_sizes(elf: Path) -> ImageSizes:
    """Sizes of an image that was linked with `image.ld`."""
    sections = {}
    for line in _run("arm-none-eabi-size", "-A", str(elf)).splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1].isdigit():
            sections[fields[0]] = int(fields[1])
    weights = sections.get(".weights", 0)
    code = sections.get(".text", 0) + sections.get(".ARM.exidx", 0) + sections.get(".data", 0)
    return ImageSizes(
        flash=code + weights,
        code=code,
        weights=weights,
        ram=sections.get(".data", 0) + sections.get(".bss", 0),
    )


def _run(tool: str, *arguments: str) -> str:
    """What the tool wrote to stdout."""
    if which(tool) is None:
        package = {"gcc": "gcc"}.get(tool, "gcc-arm-none-eabi")
        raise ToolMissingError(f"{tool} is not installed", fix=f"on Debian: apt-get install {package}")
    ended = subprocess.run(
        [tool, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    if ended.returncode != 0:
        raise ToolFailedError(f"{tool} failed", why=ended.stderr.strip()[:1500])
    return ended.stdout
