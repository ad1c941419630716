"""What of everything edgeprune can make use of is installed here, found without importing any of it."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

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
    """

    name: str
    kind: Literal["package", "program"]
    version: str | None
    purpose: str
    fix: str
    required: bool

    @property
    def is_installed(self) -> bool:
        """Whether it is there."""
        return self.version is not None


_PACKAGES = (
    ("tensorflow", "train, convert and quantize models", "pip install edgeprune", True),
    ("keras", "load and rebuild models", "pip install edgeprune", True),
    ("tf-keras", "open SavedModels and .h5 files of Keras 2", "pip install edgeprune", True),
    ("tensorflow-model-optimization", "sparsity schedules", "pip install edgeprune", True),
    ("tflite-micro", "arena and outputs of the real TFLM", "pip install --pre tflite-micro", True),
    (
        "tflite-runtime",
        "accuracy of the artefact, on the oldest runtime still shipped to phones",
        "pip install 'tflite-runtime==2.14.0' (Python 3.11, Linux, numpy<2)",
        False,
    ),
    (
        "ai-edge-litert",
        "accuracy of the artefact where tflite-runtime cannot be installed",
        "pip install ai-edge-litert",
        False,
    ),
    ("ethos-u-vela", "compile for devices with an Ethos-U NPU", "pip install 'edgeprune[ethos-u]'", False),
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
    """Every package and program edgeprune can use, installed or not, in a fixed order (0.1 s)."""
    packages = [
        Tool(
            name=name,
            kind="package",
            version=_package_version(name),
            purpose=purpose,
            fix=fix,
            required=required,
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
