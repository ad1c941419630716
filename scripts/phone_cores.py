"""Which cores and GPUs the timed phones have, and what cores that nobody timed are taken for."""

from dataclasses import dataclass
from typing import Any

from edgeprune.device.paces import ACCELERATOR_CLOCK_MHZ


@dataclass(frozen=True, kw_only=True, slots=True)
class Core:
    """A core's entry in the table of paces, and its clock."""

    name: str
    clock_mhz: float


CORES = {
    ("Snapdragon 855", "large"): Core(name="Cortex-A76", clock_mhz=2840),
    ("Snapdragon 855", "med"): Core(name="Cortex-A76", clock_mhz=2420),
    ("Snapdragon 855", "small"): Core(name="Cortex-A55", clock_mhz=1780),
    ("Snapdragon 730", "large"): Core(name="Cortex-A76", clock_mhz=2200),
    ("Snapdragon 730", "small"): Core(name="Cortex-A55", clock_mhz=1800),
    ("Snapdragon 710", "large"): Core(name="Cortex-A75", clock_mhz=2200),
    ("Snapdragon 710", "small"): Core(name="Cortex-A55 without dotprod", clock_mhz=1700),
    ("Exynos 9820", "large"): Core(name="Exynos M4", clock_mhz=2730),
    ("Exynos 9820", "med"): Core(name="Cortex-A75", clock_mhz=2310),
    ("Exynos 9820", "small"): Core(name="Cortex-A55", clock_mhz=1950),
    ("Helio P35", "large"): Core(name="Cortex-A53", clock_mhz=2300),
    ("Helio P35", "small"): Core(name="Cortex-A53", clock_mhz=1800),
    ("A12 Bionic", "large"): Core(name="Apple Vortex", clock_mhz=2490),
    ("A12 Bionic", "small"): Core(name="Apple Tempest", clock_mhz=1590),
    ("A10 Fusion", "large"): Core(name="Apple Hurricane", clock_mhz=2340),
}
"""SoC and name of the group in the table of latencies → its cores; clocks are those of the SoCs' makers."""

BOARDS = {
    "rpi3bplus": Core(name="Cortex-A53", clock_mhz=1400),
    "rpi4": Core(name="Cortex-A72", clock_mhz=1500),
    "pixel3a": Core(name="Cortex-A75", clock_mhz=2000),
}
"""Devices in the other table of latencies, which the paces are held against."""

SAME_FLOATS = {"Cortex-A55 without dotprod": "Cortex-A55"}
"""Cores that differ in what they do with integers alone."""

GPUS = {
    "Snapdragon 855": Core(name="Adreno 640", clock_mhz=ACCELERATOR_CLOCK_MHZ),
    "Snapdragon 710": Core(name="Adreno 616", clock_mhz=ACCELERATOR_CLOCK_MHZ),
    "Exynos 9820": Core(name="Mali-G76 MP12", clock_mhz=ACCELERATOR_CLOCK_MHZ),
    "Helio P35": Core(name="PowerVR GE8320", clock_mhz=ACCELERATOR_CLOCK_MHZ),
    "A12 Bionic": Core(name="Apple A12 GPU", clock_mhz=ACCELERATOR_CLOCK_MHZ),
    "A10 Fusion": Core(name="Apple A10 GPU", clock_mhz=ACCELERATOR_CLOCK_MHZ),
}


def _like(core: str, times: float, reach: float, source: str, *, evidence: str = "assumed") -> dict[str, Any]:
    return {"like": core, "times": times, "reach": reach, "evidence": evidence, "source": source}


_SMALLER = "taken for an Adreno 616, of the same generation, by lanes and clock"
_LATER = "taken for the last of its maker that was timed, by lanes and clock, of which not all work gains"
_WIDER = "has twice the vector units of a Cortex-A76, of which not all work gains"
BORROWED = {
    "Adreno 618": _like("Adreno 616", 0.9, 1.4, _SMALLER),
    "Adreno 619": _like("Adreno 616", 0.8, 1.5, _SMALLER),
    "Adreno 740": _like("Adreno 640", 0.4, 1.8, _LATER),
    "Adreno 750": _like("Adreno 640", 0.35, 1.9, _LATER),
    "Mali-G715 MP7": _like("Mali-G76 MP12", 0.45, 1.9, _LATER),
    "Mali-G78 MP20": _like("Mali-G76 MP12", 0.5, 1.7, _LATER),
    "Cortex-A57": _like("Cortex-A75", 1.15, 1.6, "taken for a Cortex-A72 that is a little slower"),
    "Cortex-A72": _like(
        "Cortex-A75",
        1.0,
        1.5,
        "a Raspberry Pi 4 takes 1.2 to 2.4 times the cycles of a Raspberry Pi 5 for NetsPresso's networks, a "
        "Cortex-A75 1.9 times those of a Cortex-A76",
        evidence="borrowed",
    ),
    "Cortex-A78": _like("Cortex-A76", 0.9, 1.3, "its successor, with the same vector units"),
    "Cortex-A78AE": _like("Cortex-A76", 0.9, 1.3, "a Cortex-A78 for safety, with the same vector units"),
    "Cortex-A715": _like("Cortex-A76", 0.85, 1.35, "a successor, with the same vector units"),
    "Cortex-A720": _like("Cortex-A76", 0.85, 1.35, "a successor, with the same vector units"),
    "Cortex-A510": _like("Cortex-A55", 0.9, 1.4, "its successor, two of which may share a vector unit"),
    "Cortex-A520": _like("Cortex-A55", 0.9, 1.4, "a successor, two of which may share a vector unit"),
    "Cortex-X1": _like("Cortex-A76", 0.6, 1.4, _WIDER),
    "Cortex-X3": _like("Cortex-A76", 0.55, 1.4, _WIDER),
    "Cortex-X4": _like("Cortex-A76", 0.5, 1.5, _WIDER),
}
"""Cores and GPUs that nobody timed network by network: what they are taken for, how many times the cycles of
that they take, and how far that may be off."""
