"""The commands that install what is missing here, as this system has them."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeprune.runtimes.installed import Tool, package_version


@dataclass(frozen=True, kw_only=True, slots=True)
class Manager:
    """A package manager of an operating system.

    Attributes:
        program: on PATH.
        install: what comes before the packages.
        packages: program → what installs it; a program that is not here comes by other ways.
        is_root: whether it writes where only the administrator may.
    """

    program: str
    install: str
    packages: Mapping[str, str]
    is_root: bool = True


MANAGERS = (
    Manager(
        program="apt-get",
        install="apt-get install",
        packages={
            "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
            "qemu-system-arm": "qemu-system-arm",
            "gcc": "gcc libc6-dev",
            "cmake": "cmake",
        },
    ),
    Manager(
        program="dnf",
        install="dnf install",
        packages={
            "arm-none-eabi-gcc": "arm-none-eabi-gcc-cs arm-none-eabi-newlib",
            "qemu-system-arm": "qemu-system-arm",
            "gcc": "gcc",
            "cmake": "cmake",
        },
    ),
    Manager(
        program="pacman",
        install="pacman -S --needed",
        packages={
            "arm-none-eabi-gcc": "arm-none-eabi-gcc arm-none-eabi-newlib",
            "qemu-system-arm": "qemu-system-arm",
            "gcc": "gcc",
            "cmake": "cmake",
        },
    ),
    Manager(
        program="brew",
        install="brew install",
        packages={"arm-none-eabi-gcc": "gcc-arm-embedded", "qemu-system-arm": "qemu", "cmake": "cmake"},
        is_root=False,
    ),
)


def list_commands(tools: Sequence[Tool]) -> list[str]:
    """Commands for a shell here that install what is missing; a comment for what they cannot install.

    Args:
        tools: all that there are, installed or not.
    """
    missing = [tool for tool in tools if not tool.is_usable]
    commands = _list_pip([tool for tool in missing if tool.requirement and tool.is_offered])
    programs = [tool for tool in missing if not tool.requirement]
    manager = next((manager for manager in MANAGERS if shutil.which(manager.program)), None)
    known = manager.packages if manager else {}
    if manager and (found := [known[tool.name] for tool in programs if tool.name in known]):
        needs_sudo = manager.is_root and hasattr(os, "geteuid") and os.geteuid() != 0
        commands.append(f"{'sudo ' if needs_sudo else ''}{manager.install} {' '.join(found)}")
    left = [
        tool for tool in missing if not tool.is_offered or (not tool.requirement and tool.name not in known)
    ]
    return commands + [f"# {tool.name}: {tool.fix}" for tool in left]


def _list_pip(tools: Sequence[Tool]) -> list[str]:
    """One command for all that pip installs, by the pip or uv that belongs to this Python."""
    wanted = dict.fromkeys(shlex.quote(tool.requirement) for tool in tools)
    if not wanted:
        return []
    python = shlex.quote(sys.executable)
    ours = f"{python} -m pip install"
    if package_version("pip") is None and shutil.which("uv"):
        ours = f"uv pip install --python {python}"
    return [f"{ours} {' '.join(wanted)}"]
