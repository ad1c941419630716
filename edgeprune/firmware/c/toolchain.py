"""GCC for bare-metal Arm: C sources to objects, objects to an image, and what an image takes."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from edgeprune.children import ending_error
from edgeprune.errors import ToolFailedError, ToolMissingError, ToolStoppedError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.layer import Optimize

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_LEVELS: Mapping[Optimize, tuple[str, ...]] = {
    "speed": ("-O2", "-fno-schedule-insns"),
    "size": ("-Os",),
    "ram": ("-O2",),
}
SECTIONS = ("-ffunction-sections", "-fdata-sections")
COMPILER = "arm-none-eabi-gcc"
_PACKAGES = {"gcc": "gcc"}
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSizes:
    """Sizes of a linked image in bytes, read back from the ELF.

    Attributes:
        flash: all that is stored, golden samples aside: code, constants, start values.
        code: the same without `weights.c`.
        weights: what `weights.c` became.
        ram: static memory: arena, state, inputs, outputs, and what the program around the model needs; no
            stack.
        golden: golden samples, which are stored beside the rest.
    """

    flash: int
    code: int
    weights: int
    ram: int
    golden: int = 0


def is_installed() -> bool:
    """Whether images can be built here."""
    return which(COMPILER) is not None


def choose_level(board: EmulatedBoard, *, optimize: Optimize) -> tuple[str, ...]:
    """The compiler's flags that say what it optimizes for.

    Layers that are inlined into the function of the whole model share their registers with it: DS-CNN takes
    8 % more instructions on a Cortex-M7 then, but 4 % fewer on a Cortex-M55.
    """
    level = _LEVELS[optimize]
    if optimize == "speed" and board.instructions != "mve":
        return (*level, "-fno-inline-functions-called-once")
    return level


def compile_sources(
    sources: Sequence[Path],
    *,
    directory: Path,
    board: EmulatedBoard,
    optimize: Optimize,
    includes: Sequence[Path],
    defines: Sequence[str] = (),
) -> tuple[Path, ...]:
    """The objects, in the order of their sources.

    Args:
        sources: C files of different names.
        directory: where the objects go.
        board: whose core they are for.
        optimize: what the compiler is told to save.
        includes: folders of headers.
        defines: macros, "NAME=value" each.

    Raises:
        ToolMissingError: the compiler is not installed.
        ToolFailedError: it failed.
    """
    objects = tuple(directory / f"{source.stem}.o" for source in sources)
    flags = [*board.flags, "-mthumb", *choose_level(board, optimize=optimize), *SECTIONS, *WARNINGS]
    flags += [f"-I{folder}" for folder in includes] + [f"-D{macro}" for macro in defines]
    for source, target in zip(sources, objects, strict=True):
        run_tool(COMPILER, *flags, "-c", str(source), "-o", str(target))
    return objects


def link(objects: Sequence[Path], *, script: Path, output: Path, board: EmulatedBoard) -> None:
    """Writes an ELF.

    Args:
        objects: what it holds.
        script: the linker script.
        output: the ELF.
        board: whose core it is for.

    Raises:
        ToolMissingError: the compiler is not installed.
        ToolFailedError: it failed, for example because the image does not fit the memory.
    """
    flags = (*board.flags, "-mthumb", "-nostartfiles", "-Wl,--gc-sections", f"-T{script}")
    run_tool(COMPILER, *flags, *map(str, objects), "-lm", "-o", str(output))


def read_sizes(elf: Path) -> ImageSizes:
    """Sizes of an image that was linked with one of our scripts."""
    sections: dict[str, int] = {}
    for line in run_tool("arm-none-eabi-size", "-A", str(elf)).splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1].isdigit():
            sections[fields[0]] = int(fields[1])

    def total(*names: str) -> int:
        return sum(sections.get(name, 0) for name in names)

    code, weights = total(".text", ".ARM.exidx", ".data"), total(".weights")
    return ImageSizes(
        flash=code + weights,
        code=code,
        weights=weights,
        ram=total(".data", ".bss", ".samples"),
        golden=total(".golden"),
    )


def read_object_sizes(compiled: Path) -> tuple[int, int]:
    """Bytes of code and constants in an object, and of its static memory."""
    text, data, cleared = map(int, run_tool("arm-none-eabi-size", str(compiled)).splitlines()[-1].split()[:3])
    return text + data, data + cleared


def run_tool(tool: str, *arguments: str) -> str:
    """What the tool wrote to stdout.

    Raises:
        ToolMissingError: it is not installed.
        ToolFailedError: it failed, or took more than five minutes.
    """
    if which(tool) is None:
        package = _PACKAGES.get(tool, "gcc-arm-none-eabi")
        raise ToolMissingError(f"{tool} is not installed", fix=f"on Debian: apt-get install {package}")
    try:
        ended = subprocess.run(
            [tool, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolStoppedError(f"{tool} took more than {_TIMEOUT_SECONDS} s") from error
    if ended.returncode < 0:
        raise ending_error(tool, ended.returncode, why=ended.stderr.strip()[:1500])
    if ended.returncode != 0:
        raise ToolFailedError(f"{tool} failed", why=ended.stderr.strip()[:1500])
    return ended.stdout
