"""What of everything edgeprune can make use of is installed here, found without importing any of it here."""

import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from edgeprune.runtimes.litert_choice import LITERT_PACKAGES, explain_unusable

_VERSION_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """One package or program.

    Attributes:
        name: the distribution or the command.
        kind: a Python "package" or a "program" on PATH.
        version: None where it is not installed; "unknown" where it does not say.
        purpose: what edgeprune does with it, and so what is missing without it.
        fix: how to get it.
        requirement: what pip is asked for; "" where it does not come by pip.
        is_offered: whether there is one for this system and Python.
        required: whether the main job needs it.
        obstacle: why it cannot be used although it is installed, as a clause; "" where nothing is known to.
    """

    name: str
    kind: Literal["package", "program"]
    version: str | None
    purpose: str
    fix: str
    requirement: str = ""
    is_offered: bool = True
    required: bool
    obstacle: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether it is there."""
        return self.version is not None

    @property
    def is_usable(self) -> bool:
        """Whether it is there and nothing is known to keep it from working."""
        return self.is_installed and not self.obstacle


_OURS = "edgeprune"
_PACKAGES = (
    ("tensorflow", "train, convert and quantize models", _OURS, "", True),
    ("keras", "load and rebuild models", _OURS, "", True),
    ("tf-keras", "open SavedModels and .h5 files of Keras 2", _OURS, "", True),
    ("tensorflow-model-optimization", "sparsity schedules", _OURS, "", True),
    (
        "tflite-micro",
        "arena and outputs of the real TFLM; without it, arenas are estimated and outputs not compared",
        _OURS,
        "Linux on x86-64 alone",
        False,
    ),
    (
        "tflite-runtime",
        "run artefacts in the oldest LiteRT still shipped, whose reference kernels round as TFLM's do",
        "edgeprune[tflite-runtime]",
        "which takes numpy 1: Python 3.11, Linux on x86-64 alone",
        False,
    ),
    (
        "ai-edge-litert",
        "run artefacts in today's LiteRT; without it, in TensorFlow's, which takes seconds to start",
        "ai-edge-litert",
        "",
        False,
    ),
    ("ethos-u-vela", "compile for devices with an Ethos-U NPU", "edgeprune[ethos-u]", "", False),
    ("ray", "sweep: many builds, here or on a cluster", "edgeprune[sweep]", "", False),
)
"""Name, purpose, what pip is asked for, where it is to be had if not everywhere, whether builds need it."""
_PROGRAMS = (
    (
        "arm-none-eabi-gcc",
        "build firmware for Cortex-M; without it, builds for the C engine are only estimated",
        "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "",
    ),
    (
        "qemu-system-arm",
        "run firmware without a board: instructions, stack and outputs of the C engine",
        "apt install qemu-system-arm",
        "",
    ),
    ("gcc", "run the C engine on this machine ('edgeprune run --on host')", "apt install gcc libc6-dev", ""),
    ("cmake", "build firmware projects", "apt install cmake", ""),
    ("pyocd", "flash boards with a debug probe ('edgeprune flash')", "", "edgeprune[flash]"),
    ("esptool", "flash ESP32 boards ('edgeprune flash')", "", "edgeprune[flash]"),
)
"""Name, purpose, how Debian has it, what pip is asked for where it is pip that has it."""


def installed_tools() -> list[Tool]:
    """Every package and program edgeprune can use, installed or not, in a fixed order (1 s)."""
    packages = [
        Tool(
            name=name,
            kind="package",
            version=package_version(name),
            purpose=purpose,
            fix=_pip(requirement) + (f" ({where})" if where else ""),
            requirement=requirement,
            is_offered=_is_offered(name),
            required=required,
            obstacle=_find_obstacle(name),
        )
        for name, purpose, requirement, where, required in _PACKAGES
    ]
    programs = [
        Tool(
            name=name,
            kind="program",
            version=_program_version(name),
            purpose=purpose,
            fix=_pip(requirement) if requirement else fix,
            requirement=requirement,
            required=False,
        )
        for name, purpose, fix, requirement in _PROGRAMS
    ]
    return packages + programs


def _pip(requirement: str) -> str:
    return f"pip install {shlex.quote(requirement)}"


def _is_offered(name: str) -> bool:
    """Whether there are wheels of the package for this system."""
    is_pc = sys.platform == "linux" and platform.machine() == "x86_64"
    if name == "tflite-runtime":
        return is_pc and sys.version_info < (3, 12)
    return is_pc if name == "tflite-micro" else True


def package_version(name: str) -> str | None:
    """Of a distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _find_obstacle(name: str) -> str:
    """Why it cannot be loaded; for runtimes alone, which break where others' packages are updated."""
    return explain_unusable(name) if name in LITERT_PACKAGES and package_version(name) else ""


def _program_version(command: str) -> str | None:
    path = shutil.which(command)
    if path is None:
        return None
    try:
        said = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(r"\d+\.\d+(\.\d+)*", said)
    return found.group() if found else "unknown"
