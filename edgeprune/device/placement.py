"""Where a tensor arena may lie: it needs one contiguous block of RAM, and fast ones are small."""

from collections.abc import Sequence

from edgeprune.device.memory import Memory
from edgeprune.device.profile import Profile
from edgeprune.units import format_quantity

_KIB = 1024.0


def blocks_for(arena_bytes: float, profile: Profile) -> tuple[Memory, ...]:
    """Memories with a block that holds so many bytes; those outside the chip only where none inside does."""
    fitting = [m for m in profile.memory if "arena" in m.holds and m.block_kib * _KIB >= arena_bytes]
    return tuple(m for m in fitting if not m.external) or tuple(fitting)


def is_external(arena_bytes: float, profile: Profile) -> bool:
    """Whether only memory outside the chip holds an arena of so many bytes."""
    return any(memory.external for memory in blocks_for(arena_bytes, profile))


def describe_placement(arena_bytes: float, profile: Profile, *, largest: tuple[str, int] | None) -> str:
    """Which memories hold an arena, or by how much it misses the largest; "" without any to choose from.

    Args:
        arena_bytes: what it takes.
        profile: the device.
        largest: name and bytes of the largest tensor in it, None where that is not known.
    """
    candidates = [memory for memory in profile.memory if "arena" in memory.holds]
    if not candidates:
        return ""
    blocks = blocks_for(arena_bytes, profile)
    if not blocks:
        biggest = max(candidates, key=lambda memory: memory.block_kib)
        return f"{_miss('it', arena_bytes, biggest)}{_describe_largest(largest, biggest)}"
    names = _join([f"{memory.name} ({_size(memory)})" for memory in blocks])
    if blocks[0].external:
        return f"only {names}, outside the chip, holds it"
    too_small = [memory.name for memory in candidates if memory not in blocks and not memory.external]
    return f"it fits {names}" + (f", not {_join(too_small)}" if too_small else "")


def _describe_largest(largest: tuple[str, int] | None, block: Memory) -> str:
    if largest is None:
        return ""
    name, size = largest
    if size > block.block_kib * _KIB:
        return f"; its largest tensor alone, {name}, " + _miss("", size, block).strip()
    return f"; its largest tensor, {name}, takes {format_quantity(size, 'bytes')}"


def _miss(what: str, size: float, block: Memory) -> str:
    over = format_quantity(size - block.block_kib * _KIB, "bytes")
    return f"{what} misses the largest block, {block.name} ({_size(block)}), by {over}"


def _size(block: Memory) -> str:
    """Its largest block."""
    return format_quantity(block.block_kib * _KIB, "bytes")


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
