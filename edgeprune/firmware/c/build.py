"""A project's images: linked for the emulator and for the device, as ELF, HEX, BIN and UF2."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError
from edgeprune.files import writing
from edgeprune.firmware.c.layout import Layout
from edgeprune.firmware.c.project import EMULATOR, FIRMWARE, EngineProject
from edgeprune.firmware.c.room import LEAST_STACK_BYTES
from edgeprune.firmware.c.toolchain import (
    ImageSizes,
    compile_sources,
    link,
    read_object_sizes,
    read_sizes,
    run_tool,
)
from edgeprune.firmware.uf2 import FAMILIES, format_uf2

BUILD_FOLDER = "build"
_FORMATS = {"hex": "ihex", "bin": "binary"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Images:
    """What was linked.

    Attributes:
        project: the project.
        emulator: the ELF for qemu.
        device: ending → file for the device: elf, hex, bin and, where its boot loader takes it, uf2; empty
            where the profile does not say where its memories are, or where the image does not fit them.
        sizes: of the image; the same for both.
        model_code_bytes: code of the model alone, as compiled, without the compiler's library.
        model_ram_bytes: its arena and state.
    """

    project: EngineProject
    emulator: Path
    device: Mapping[str, Path]
    sizes: ImageSizes
    model_code_bytes: int
    model_ram_bytes: int


def build_images(project: EngineProject, *, profile: Profile) -> Images:
    """Compiles a project once, and links it for the emulator and for the device.

    Args:
        project: in its folder; images go to its folder `build`.
        profile: the device.

    Raises:
        ToolMissingError: `arm-none-eabi-gcc` is not installed.
        ToolFailedError: it failed, for example because the image does not fit the emulated board.
        UnknownNameError: the boot loader's UF2 family is not known.
    """
    folder = project.directory / BUILD_FOLDER
    objects = folder / "objects"
    with writing(objects):
        objects.mkdir(parents=True, exist_ok=True)
    compiled = compile_sources(
        project.sources(),
        directory=objects,
        board=project.board,
        optimize=project.optimize,
        includes=[project.directory / name for name in ("model", "application", "platform/arm")],
    )
    emulator = folder / f"{EMULATOR}.elf"
    link(compiled, script=project.script(EMULATOR), output=emulator, board=project.board)
    sizes = read_sizes(emulator)
    code_bytes, ram_bytes = read_object_sizes(next(each for each in compiled if each.stem == "model"))
    device: dict[str, Path] = {}
    layout = project.layouts.get(FIRMWARE)
    if layout is not None and not describe_misfit(sizes, layout):
        device["elf"] = folder / f"{FIRMWARE}.elf"
        link(compiled, script=project.script(FIRMWARE), output=device["elf"], board=project.board)
        for ending, kind in _FORMATS.items():
            device[ending] = folder / f"{FIRMWARE}.{ending}"
            run_tool("arm-none-eabi-objcopy", "-O", kind, str(device["elf"]), str(device[ending]))
        if profile.flashing is not None and profile.flashing.method == "uf2":
            device["uf2"] = folder / f"{FIRMWARE}.uf2"
            family = FAMILIES[profile.flashing.target]
            image = device["bin"].read_bytes()
            device["uf2"].write_bytes(format_uf2(image, address=layout.flash.origin, family=family))
    shutil.rmtree(objects)
    return Images(
        project=project,
        emulator=emulator,
        device=device,
        sizes=sizes,
        model_code_bytes=code_bytes,
        model_ram_bytes=ram_bytes,
    )


def describe_misfit(sizes: ImageSizes, layout: Layout) -> str:
    """What an image needs more than a memory map has, as a clause; "" where it fits."""
    constants = sizes.weights + sizes.golden
    in_flash = sizes.code + (constants if layout.external is None else 0)
    wanted = [
        ("flash", in_flash, layout.flash.size_bytes),
        ("RAM", sizes.ram + LEAST_STACK_BYTES, layout.ram.size_bytes),
    ]
    if layout.external is not None:
        wanted.append(("external memory", constants, layout.external.size_bytes))
    return ", ".join(
        f"{needed} bytes of {what}, not {there}" for what, needed, there in wanted if needed > there
    )


def refuse_misfit(images: Images) -> None:
    """Raises InfeasibleError where the image does not fit the device."""
    layout = images.project.layouts.get(FIRMWARE)
    why = "" if layout is None else describe_misfit(images.sizes, layout)
    if why and layout is not None:
        raise InfeasibleError(
            f"the image does not fit {images.project.device}",
            why=f"it needs {why} ({layout.flash.name}, {layout.ram.name})",
            fix="prune the model with 'edgeprune build', or ask for fewer golden samples with --samples",
        )
