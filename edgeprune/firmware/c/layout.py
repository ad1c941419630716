"""Where an image lies: code and constants in one memory, everything else in another."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune.device.memory import Memory
from edgeprune.device.profile import Profile
from edgeprune.firmware.c.boards import EmulatedBoard

_KIB = 1024
_BOOT_WORDS = {"RP2350_ARM_S": (0xFFFFDED3, 0x10210142, 0x000001FF, 0x00000000, 0xAB123579)}
"""UF2 family → words within the first 4 KiB of an image: the smallest image definition of an Arm program
(RP2350 datasheet, 5.9.5.1); its vectors are then taken from the start of the image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A piece of the address space."""

    name: str
    origin: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What a linker script needs to know.

    Attributes:
        name: whose memory it is, for people.
        flash: holds code and constants.
        external: holds weights and golden samples in place of the flash; None where that does.
        ram: holds everything else.
        boot_words: what the boot ROM looks for behind the vectors; empty where it wants nothing.
    """

    name: str
    flash: Region
    ram: Region
    boot_words: tuple[int, ...] = ()
    external: Region | None = None

    @property
    def weights(self) -> Region:
        """Holds weights and golden samples."""
        return self.external or self.flash


def lay_out_board(board: EmulatedBoard) -> Layout:
    """The memory of an emulated board."""
    external = board.external and _place("its external memory", board.external)
    return Layout(
        name=f"{board.machine} of qemu",
        flash=_place("its code memory", board.code),
        ram=_place("its RAM", board.data),
        external=external,
    )


def place_weights(layout: Layout, *, region: str, flash: str) -> dict[str, str]:
    """Values of a linker script: where weights lie.

    Args:
        layout: of the memory.
        region: what the script calls the memory of the weights.
        flash: what it calls the flash.
    """
    external = layout.external
    origin = f"{layout.weights.origin:#010x}"
    if external is None:
        alias = f'REGION_ALIAS("{region}", {flash})\n'
        return {"weights_origin": origin, "external": "", "alias": alias}
    memory = f"{region} (r) : ORIGIN = {origin}, LENGTH = {external.size_bytes}"
    return {"weights_origin": origin, "external": f"\n    {memory}", "alias": ""}


def _place(name: str, memory: tuple[int, int]) -> Region:
    origin, size_kib = memory
    return Region(name=name, origin=origin, size_bytes=size_kib * _KIB)


def lay_out_device(profile: Profile) -> Layout | None:
    """The largest flash and RAM of a device; None where its profile does not say where they begin."""
    flash = _choose([m for m in profile.memory if "code" in m.holds and "weights" in m.holds])
    ram = _choose([m for m in profile.memory if "arena" in m.holds])
    if flash is None or ram is None:
        return None
    target = profile.flashing.target if profile.flashing is not None else ""
    return Layout(name=profile.name, flash=flash, ram=ram, boot_words=_BOOT_WORDS.get(target, ()))


def _choose(memories: Sequence[Memory]) -> Region | None:
    """The largest that has an address, those inside the chip first."""
    known = [memory for memory in memories if memory.address is not None]
    if not known:
        return None
    best = max(known, key=lambda memory: (not memory.external, memory.block_kib))
    return Region(name=best.name, origin=best.address or 0, size_bytes=round(best.block_kib * _KIB))
