"""What of everything edgeprune can make use of is installed here, found without importing any of it here."""

import re
import shutil
import subprocess
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
        required: whether the main job needs it.
        obstacle: why it cannot be used although it is installed, as a clause; "" where nothing is known to.
    """

    name: str
    kind: Literal["package", "program"]
    version: str | None
    purpose: str
    fix: str
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


_PACKAGES = (
    ("tensorflow", "train, convert and quantize models", "pip install edgeprune", True),
    ("keras", "load and rebuild models", "pip install edgeprune", True),
    ("tf-keras", "open SavedModels and .h5 files of Keras 2", "pip install edgeprune", True),
    ("tensorflow-model-optimization", "sparsity schedules", "pip install edgeprune", True),
    (
        "tflite-micro",
        "arena and outputs of the real TFLM; without it, arenas are estimated and outputs not compared",
        "pip install --pre tflite-micro (Linux on x86-64 alone)",
        False,
    ),
    (
        "tflite-runtime",
        "run artefacts in the oldest LiteRT still shipped, whose reference kernels round as TFLM's do",
        "pip install 'edgeprune[tflite-runtime]', which takes numpy 1 (Python 3.11, Linux on x86-64)",
        False,
    ),
    (
        "ai-edge-litert",
        "run artefacts in today's LiteRT; without it, in TensorFlow's, which takes seconds to start",
        "pip install ai-edge-litert",
        False,
    ),
    ("ethos-u-vela", "compile for devices with an Ethos-U NPU", "pip install 'edgeprune[ethos-u]'", False),
    ("ray", "sweep: many builds, here or on a cluster", "pip install 'edgeprune[sweep]'", False),
)
_PROGRAMS = (
    (
        "arm-none-eabi-gcc",
        "build firmware for Cortex-M; without it, builds for the C engine are only estimated",
        "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    ),
    (
        "qemu-system-arm",
        "run firmware without a board: instructions, stack and outputs of the C engine",
        "apt install qemu-system-arm",
    ),
    ("gcc", "run the C engine on this machine ('edgeprune run --on host')", "apt install gcc"),
    ("cmake", "build firmware projects", "apt install cmake"),
    ("pyocd", "flash boards with a debug probe ('edgeprune flash')", "pip install 'edgeprune[flash]'"),
    ("esptool", "flash ESP32 boards ('edgeprune flash')", "pip install 'edgeprune[flash]'"),
)


def installed_tools() -> list[Tool]:
    """Every package and program edgeprune can use, installed or not, in a fixed order (1 s)."""
    packages = [
        Tool(
            name=name,
            kind="package",
            version=_package_version(name),
            purpose=purpose,
            fix=fix,
            required=required,
            obstacle=_find_obstacle(name),
        )
        for name, purpose, fix, required in _PACKAGES
    ]
    programs = [
        Tool(
            name=name,
            kind="program",
            version=_program_version(name),
            purpose=purpose,
            fix=fix,
            required=False,
        )
        for name, purpose, fix in _PROGRAMS
    ]
    return packages + programs


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _find_obstacle(name: str) -> str:
    """Why it cannot be loaded; for runtimes alone, which break where others' packages are updated."""
    return explain_unusable(name) if name in LITERT_PACKAGES and _package_version(name) else ""


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
