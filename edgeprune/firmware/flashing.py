"""Bringing an image onto a board: the command of the tool that does it, or a copy to the board's drive."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeprune.errors import (
    ModelError,
    OutputError,
    RecipeError,
    ToolFailedError,
    ToolMissingError,
)

Method = Literal["pyocd", "esptool", "openocd", "uf2", "copy"]

METHODS: tuple[Method, ...] = ("pyocd", "esptool", "openocd", "uf2", "copy")
_INSTALL = {
    "pyocd": "pip install 'edgeprune[flash]', and for targets that it lacks: pyocd pack install TARGET",
    "esptool": "pip install 'edgeprune[flash]'",
    "openocd": "on Debian: apt-get install openocd",
}
_ENDINGS: Mapping[Method, tuple[str, ...]] = {
    "pyocd": ("hex", "elf", "bin"),
    "openocd": ("elf", "hex"),
    "uf2": ("uf2",),
    "copy": ("hex", "bin"),
}
"""What each method takes, the best first."""
_ESP_ARGUMENTS = "flash_args"
"""File of a built ESP-IDF project: what goes where."""
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashPlan:
    """What will be done.

    Attributes:
        method: how.
        image: the file that goes onto the board.
        command: program and arguments; empty for a copy.
        directory: where the command has to run; None for anywhere.
        volume: the mounted drive that a copy goes to; None for a command.
    """

    method: Method
    image: Path
    command: tuple[str, ...] = ()
    directory: Path | None = None
    volume: Path | None = None


def find_image(folder: Path, method: Method) -> Path:
    """The image of a built project that a method takes.

    Args:
        folder: a project's folder, or a build's output directory with a project in `firmware/`.
        method: how it will be flashed.

    Raises:
        ModelError: there is none.
    """
    projects = [place for place in (folder, folder / "firmware") if (place / "build").is_dir()]
    for project in projects:
        if method == "esptool":
            found = [project / "build" / _ESP_ARGUMENTS]
        else:
            # Ours is called firmware; other build systems name theirs as they like.
            found = [
                path
                for ending in _ENDINGS[method]
                for path in [
                    project / "build" / f"firmware.{ending}",
                    *sorted(project.glob(f"build/*.{ending}")),
                ]
                if path.name != "emulator.elf"
            ]
        for path in found:
            if path.is_file():
                return path
    wanted = _ESP_ARGUMENTS if method == "esptool" else " or ".join(f"*.{e}" for e in _ENDINGS[method])
    raise ModelError(
        "there is no image to flash",
        where=str(folder),
        why=f"its folder build/ has no {wanted}",
        fix="build the project first: 'edgeprune firmware --runtime c --build', or as its README says",
    )


def plan_flash(
    image: Path, *, method: Method, target: str, volume: Path | None = None, port: str | None = None
) -> FlashPlan:
    """How an image gets onto a board.

    Args:
        image: the file.
        method: by what tool.
        target: what the tool calls the device.
        volume: where the board's drive is mounted, for uf2 and copy.
        port: the serial port, for esptool; it looks for one if not given.

    Raises:
        RecipeError: the target or the volume is missing.
    """
    if method in ("uf2", "copy"):
        if volume is None:
            raise RecipeError(
                f"{method} copies to the drive that the board shows, and it is not known where that is",
                where=str(image),
                fix="plug the board in with its boot button pressed, and give the drive with --volume",
            )
        return FlashPlan(method=method, image=image, volume=volume)
    if not target:
        raise RecipeError(
            f"{method} must be told the device", where=str(image), fix="give --target, as the tool calls it"
        )
    path, directory = str(image.resolve()), None
    if method == "pyocd":
        command = ["pyocd", "flash", "--no-wait", "--target", target, path]
    elif method == "openocd":
        command = ["openocd", "-f", target, "-c", f"program {{{path}}} verify reset exit"]
    else:
        command = ["esptool", "--chip", target, *(["--port", port] if port else [])]
        command += ["write-flash", f"@{image.name}"]
        directory = image.parent  # the arguments are in a file that names others beside it
    return FlashPlan(method=method, image=image, command=tuple(command), directory=directory)


def flash_image(plan: FlashPlan) -> None:
    """Does what was planned.

    Raises:
        ToolMissingError: the tool is not installed.
        ToolFailedError: it failed.
        OutputError: the volume is not there, or cannot be written.
    """
    if plan.volume is not None:
        _copy(plan.image, plan.volume)
        return
    tool = plan.command[0]
    if shutil.which(tool) is None:
        raise ToolMissingError(f"{tool} is not installed", fix=_INSTALL[tool])
    try:
        ended = subprocess.run(
            plan.command,
            cwd=plan.directory,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(f"{tool} took more than {_TIMEOUT_SECONDS} s") from error
    if ended.returncode != 0:
        why = (ended.stderr or ended.stdout).strip()[-1000:]
        raise ToolFailedError(f"{tool} failed", where=str(plan.image), why=why, fix="is the board connected?")


def _copy(image: Path, volume: Path) -> None:
    if not volume.is_dir():
        raise OutputError("the board's drive is not there", where=str(volume), fix="check --volume")
    try:
        shutil.copyfile(image, volume / image.name)
    except OSError as error:
        raise OutputError(
            "the image cannot be copied", where=str(volume), why=error.strerror or str(error)
        ) from error
