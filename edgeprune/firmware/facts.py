"""What a project's build files have to know of the device: chip, flash, memory outside the chip, FPU."""

import re

from edgeprune.device.profile import Profile

_DEFAULT_PARTITION_BYTES = 1 << 20
"""The application partition of ESP-IDF where a project has no table of its own."""
_BEFORE_PARTITION_BYTES = 0x10000
"""Boot loader, partition table and NVS."""
_MPS2 = {
    "Cortex-M0": ("cortex-m0plus", "mps2-an385"),
    "Cortex-M0+": ("cortex-m0plus", "mps2-an385"),
    "Cortex-M3": ("cortex-m3", "mps2-an385"),
    "Cortex-M4": ("cortex-m4", "mps2-an386"),
    "Cortex-M7": ("cortex-m7", "mps2-an500"),
}
"""Core → its toolchain in a CMake project, and the board of QEMU with the memory of `platform/mps2`."""
_STAND_IN = "Cortex-M7"
_SIZES_MIB = (1, 2, 4, 8, 16, 32, 64, 128)
"""Sizes of flash that ESP-IDF has an option for."""


def describe_device(profile: Profile, *, image_bytes: float) -> dict[str, str]:
    """Values of the templates of projects.

    Args:
        profile: the device.
        image_bytes: of the application as predicted, golden samples included.
    """
    flash_kib = profile.flash_kib or 0.0
    espressif = profile.flashing is not None and profile.flashing.method == "esptool"
    target = profile.flashing.target if espressif and profile.flashing is not None else ""
    options = [f'CONFIG_IDF_TARGET="{target}"'] if target else []
    size_mib = max((size for size in _SIZES_MIB if size * 1024 <= flash_kib), default=0)
    if target and size_mib:
        options.append(f"CONFIG_ESPTOOLPY_FLASHSIZE_{size_mib}MB=y")
    if target and any(memory.role == "ram" and memory.external for memory in profile.memory):
        options.append("CONFIG_SPIRAM=y")
    if image_bytes > _DEFAULT_PARTITION_BYTES:
        options += [
            "CONFIG_PARTITION_TABLE_CUSTOM=y",
            'CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="partitions.csv"',
        ]
    toolchain, machine = _MPS2.get(profile.core, _MPS2[_STAND_IN])
    revision = re.search(r"\b[0-9a-f]{7,40}\b", profile.runtime.version)
    return {
        "toolchain": toolchain,
        "machine": machine,
        "stand_in": ""
        if profile.core in _MPS2
        else f" `platform/mps2` is for no board with a {profile.core}: a {_STAND_IN} stands for it.",
        "tflm_checkout": f" && git -C tflite-micro checkout {revision[0]}" if revision else "",
        "esp_target": target or "<chip>",
        "esp_options": "".join(f"{option}\n" for option in options),
        "zephyr_options": "CONFIG_FPU=y\n" if {"fpu", "mve"} & set(profile.instructions) else "",
    }


def render_partitions(profile: Profile, *, image_bytes: float) -> str | None:
    """ESP-IDF's table with one application that has the flash to itself; None where the default one does."""
    if image_bytes <= _DEFAULT_PARTITION_BYTES:
        return None
    left = int((profile.flash_kib or 0.0) * 1024) - _BEFORE_PARTITION_BYTES
    size = max(left, int(image_bytes)) // _BEFORE_PARTITION_BYTES * _BEFORE_PARTITION_BYTES
    return (
        "# Name, Type, SubType, Offset, Size\n"
        "nvs, data, nvs, 0x9000, 0x6000\n"
        "phy_init, data, phy, 0xf000, 0x1000\n"
        f"factory, app, factory, 0x10000, {size:#x}\n"
    )
