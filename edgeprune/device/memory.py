"""The memories of a device: how large they are, where they lie, and what they may hold.

A linker script needs the address; the arena needs one block that may hold it; what reads cost depends on wait
states, on caches and on whether the memory is inside the chip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeprune.config.tables import TableError, ruled

Use = Literal["arena", "weights", "code"]

_ADDRESS_SPACE = 1 << 32
_USES: dict[str, tuple[Use, ...]] = {"flash": ("weights", "code"), "ram": ("arena",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One memory, or several that follow one another and may be used as one.

    Attributes:
        name: as the datasheet calls it.
        role: "flash" keeps what is written to it and is only read; "ram" is read and written.
        kib: all of it.
        largest_block_kib: the largest contiguous block, where that is not all; the arena must fit one.
        address: where it starts, as the core sees it.
        holds: what may be put there: by default weights and code in flash, the arena in RAM.
        wait_states: cycles that a read takes on top, at the clock of the profile, where a cache does not
            have it.
        cached: whether reads go through a cache, whose size is in `[cache]`.
        external: whether it is outside the chip, behind QSPI or a memory controller: several times slower
            where a cache does not help.
        note: anything else that matters.
    """

    name: str
    role: Literal["flash", "ram"]
    kib: float = ruled(above=0, high=1 << 40)
    largest_block_kib: float | None = ruled(above=0, default=None)
    address: int | None = ruled(low=0, high=_ADDRESS_SPACE - 1, default=None)
    holds: tuple[Use, ...] = ruled(items=1, default=())
    wait_states: int | None = ruled(low=0, high=255, default=None)
    cached: bool = False
    external: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        """Fill in what its role lets it hold."""
        if not self.holds:
            object.__setattr__(self, "holds", _USES[self.role])

    @property
    def block_kib(self) -> float:
        """The largest contiguous block."""
        return self.largest_block_kib or self.kib


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """The caches that lie between the core and its memories.

    Attributes:
        instruction_kib: of instructions; absent where there is none, or nobody says how large it is.
        data_kib: of data and constants.
        xip_kib: of a flash outside the chip, for instructions and data alike.
        source: the datasheet or manual.
    """

    instruction_kib: float | None = ruled(above=0, default=None)
    data_kib: float | None = ruled(above=0, default=None)
    xip_kib: float | None = ruled(above=0, default=None)
    source: str


def find_memory_faults(memories: Sequence[Memory], cache: Cache | None) -> Iterator[TableError]:
    """What contradicts itself in the `[[memory]]` tables, or between them and `[cache]`."""
    for index, memory in enumerate(memories):
        key = f"memory[{index}]"
        if memory.largest_block_kib is not None and memory.largest_block_kib > memory.kib:
            problem = f"is {memory.largest_block_kib:g}, more than the whole memory ({memory.kib:g} KiB)"
            yield TableError(key=f"{key}.largest_block_kib", problem=problem)
        if memory.role == "flash" and "arena" in memory.holds:
            yield TableError(key=f"{key}.holds", problem="has 'arena', but flash cannot be written to")
        if memory.cached and cache is None:
            problem = f"is missing; reads of '{memory.name}' ({key}) are said to go through one"
            yield TableError(key="cache", problem=problem)
        if memory.address is not None and _end(memory) > _ADDRESS_SPACE:
            problem = f"is {memory.address:#x}; {memory.kib:g} KiB from there do not end within 32 bits"
            yield TableError(key=f"{key}.address", problem=problem)
        for earlier, other in enumerate(memories[:index]):
            if _overlap(memory, other):
                problem = f"is {memory.address:#x}, within or across '{other.name}' (memory[{earlier}])"
                yield TableError(key=f"{key}.address", problem=problem)
    if cache is not None and not cache.source:
        yield TableError(key="cache.source", problem="is empty; a number without a source is no fact")


def find_homeless(memories: Sequence[Memory]) -> Iterator[TableError]:
    """What no memory of a microcontroller may hold, although it has to be somewhere."""
    if not memories:
        yield TableError(key="memory", problem="is missing; a microcontroller needs flash and ram")
        return
    for use in ("arena", "weights", "code"):
        if not any(use in memory.holds for memory in memories):
            yield TableError(key="memory", problem=f"has none that may hold '{use}'")


def _end(memory: Memory) -> int:
    return (memory.address or 0) + round(memory.kib * 1024)


def _overlap(one: Memory, other: Memory) -> bool:
    if one.address is None or other.address is None:
        return False
    return one.address < _end(other) and other.address < _end(one)
