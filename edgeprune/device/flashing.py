"""How an image gets onto a device, and which emulated machine stands for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune.config.tables import TableError

Machine = Literal["mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547"]
"""Machines of `qemu-system-arm` that the C engine links for: those of `firmware/c/boards.py`."""

_TARGETS = {
    "pyocd": "the name that 'pyocd list --targets' gives",
    "esptool": "the chip, for example 'esp32s3'",
    "uf2": "the family, as uf2families.json names it",
    "openocd": "the configuration file, for example 'board/st_nucleo_f4.cfg'",
}
"""What the tools that must be told the device call it; `adb`, `ssh` and `copy` need nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flashing:
    """How an image or a model is brought to the device.

    Attributes:
        method: the tool; "uf2" and "copy" copy a file to the drive that the board shows; "adb" and "ssh"
            bring a model to an operating system.
        target: what the tool calls the device: a pyOCD target, esptool chip, UF2 family or OpenOCD file.
        note: what else must be known, for example a pack to install.
    """

    method: Literal["pyocd", "esptool", "uf2", "openocd", "adb", "ssh", "copy"]
    target: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Emulator:
    """An emulated machine that executes the device's instructions; it knows nothing of the device's time.

    Attributes:
        machine: the name that `qemu-system-arm -M` takes.
        note: in what it differs from the device.
    """

    machine: Machine
    note: str = ""


def find_flashing_faults(flashing: Flashing) -> Iterator[TableError]:
    """What is missing from a `[flashing]` table."""
    what = _TARGETS.get(flashing.method)
    if what and not flashing.target:
        yield TableError(key="flashing.target", problem=f"is missing; '{flashing.method}' needs {what}")
