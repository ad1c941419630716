"""Where an image goes: the addresses that an ELF file says it is loaded to."""

import struct
from collections.abc import Iterator
from pathlib import Path

from edgeprune.device.memory import Memory
from edgeprune.device.profile import Profile
from edgeprune.errors import ModelError

_IS_ELF32 = b"\x7fELF\x01"
_LOADED = 1
"""The type of segments that are loaded: PT_LOAD."""


def refuse_other_memory(image: Path, profile: Profile) -> None:
    """Raises ModelError where an ELF is loaded to where a device has no flash.

    Files of other kinds, and devices of which not all flash has an address, are not judged.
    """
    flashes = [memory for memory in profile.memory if memory.role == "flash"]
    if image.suffix != ".elf" or not flashes or any(memory.address is None for memory in flashes):
        return
    for address, stored_bytes in list_loads(image.read_bytes()):
        if not any(_holds(memory, address, stored_bytes) for memory in flashes):
            has = ", ".join(f"{memory.name} from {memory.address:#010x}" for memory in flashes)
            raise ModelError(
                f"the image is not linked for {profile.id}",
                where=str(image),
                why=f"it loads {stored_bytes} bytes to {address:#010x}; {profile.id} has {has}",
                fix="link it with the linker script of the board, as the project's README.md says",
            )


def list_loads(image: bytes) -> Iterator[tuple[int, int]]:
    """Address and bytes of each segment that is stored in an ELF file of 32 bits; nothing for other files."""
    if len(image) < 52 or not image.startswith(_IS_ELF32):
        return
    (table,) = struct.unpack_from("<I", image, 28)
    entry_bytes, entries = struct.unpack_from("<HH", image, 42)
    for place in range(table, min(table + entries * entry_bytes, len(image) - 31), entry_bytes or 1):
        kind, _, _, address, stored_bytes = struct.unpack_from("<5I", image, place)
        if kind == _LOADED and stored_bytes:
            yield address, stored_bytes


def _holds(memory: Memory, address: int, stored_bytes: int) -> bool:
    start = memory.address or 0
    return start <= address and address + stored_bytes <= start + memory.kib * 1024
