"""Boards that qemu emulates, one for each core the C engine knows."""

from dataclasses import dataclass, replace

from edgeprune.errors import RecipeError
from edgeprune.firmware.c.layer import Instructions

NANOSECONDS_PER_INSTRUCTION = 32
"""Virtual time of one instruction with `-icount shift=5`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmulatedBoard:
    """A machine of `qemu-system-arm` that stands for a core.

    Attributes:
        core: as in a profile, for example "Cortex-M7".
        machine: qemu's name of it.
        flags: options of the compiler for the core.
        instructions: what the kernels may use.
        nanoseconds_per_tick: of SysTick.
        code: address and KiB of the memory that holds code and constants.
        data: address and KiB of the memory that holds everything else.
        external: address and KiB of a memory that holds the weights in place of `code`; None where that is
            large enough.
    """

    core: str
    machine: str
    flags: tuple[str, ...]
    instructions: Instructions
    nanoseconds_per_tick: float = 40.0
    code: tuple[int, int] = (0x00000000, 4096)
    data: tuple[int, int] = (0x20000000, 4096)
    external: tuple[int, int] | None = None

    @property
    def weights(self) -> tuple[int, int]:
        """Address and KiB of the memory that holds the weights."""
        return self.external or self.code

    def count_instructions(self, ticks: int) -> int:
        """Instructions in so many ticks of SysTick; exact to one tick."""
        return round(ticks * self.nanoseconds_per_tick / NANOSECONDS_PER_INSTRUCTION)


_HARD_FLOAT = ("-mfloat-abi=hard",)

_CORTEX_M55 = EmulatedBoard(
    core="Cortex-M55",
    machine="mps3-an547",
    flags=("-mcpu=cortex-m55", *_HARD_FLOAT),
    instructions="mve",
    nanoseconds_per_tick=31.25,
    code=(0x00000000, 512),
    data=(0x20000000, 512),
    external=(0x60000000, 64 * 1024),  # of its DDR
)

BOARDS = (
    EmulatedBoard(core="Cortex-M0", machine="mps2-an385", flags=("-mcpu=cortex-m0",), instructions="plain"),
    # qemu has no board with a Cortex-M0+ and room for a network; its code runs on a Cortex-M3 unchanged.
    EmulatedBoard(
        core="Cortex-M0+", machine="mps2-an385", flags=("-mcpu=cortex-m0plus",), instructions="plain"
    ),
    EmulatedBoard(core="Cortex-M3", machine="mps2-an385", flags=("-mcpu=cortex-m3",), instructions="plain"),
    EmulatedBoard(
        core="Cortex-M4",
        machine="mps2-an386",
        flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", *_HARD_FLOAT),
        instructions="dsp",
    ),
    EmulatedBoard(
        core="Cortex-M7",
        machine="mps2-an500",
        flags=("-mcpu=cortex-m7", "-mfpu=fpv5-d16", *_HARD_FLOAT),
        instructions="dsp",
    ),
    EmulatedBoard(
        core="Cortex-M33",
        machine="mps2-an505",
        flags=("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", *_HARD_FLOAT),
        instructions="dsp",
        nanoseconds_per_tick=50.0,
        code=(0x10000000, 4096),
        data=(0x38000000, 2048),
    ),
    _CORTEX_M55,
    # GCC 12 does not know the Cortex-M85, which executes a Cortex-M55's code.
    replace(_CORTEX_M55, core="Cortex-M85"),
)


def instructions_of(core: str) -> Instructions:
    """What kernels for a core may use; C alone for cores that the C engine does not know."""
    known = {board.core.lower(): board.instructions for board in BOARDS}
    return known.get(core.lower(), "plain")


def find_board(core: str) -> EmulatedBoard:
    """The board for a core. Raises RecipeError where qemu emulates none."""
    for board in BOARDS:
        if board.core.lower() == core.lower():
            return board
    raise RecipeError(
        f"the C engine makes images for {', '.join(board.core for board in BOARDS)}, not for {core}",
        fix="give --project for the SDK of the device, where there is one; or use --runtime tflm",
    )
