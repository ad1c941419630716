"""A project's check on golden samples, run in qemu, and what it printed."""

import re
from dataclasses import dataclass

from edgeprune.errors import ToolFailedError
from edgeprune.firmware.c.build import Images
from edgeprune.firmware.c.emulator import emulate

_NUMBER = re.compile(r"^(stack_bytes|ticks) (\d+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenRun:
    """How the check ended.

    Attributes:
        passed: whether every output was as expected.
        said: what it printed.
        instructions: of the longest inference; 0 where it did not pass.
        stack_bytes: the deepest stack, likewise.
    """

    passed: bool
    said: str
    instructions: int
    stack_bytes: int


def run_golden_check(images: Images) -> GoldenRun:
    """Runs the emulator's image.

    Raises:
        ToolMissingError: `qemu-system-arm` is not installed.
        ToolFailedError: the program crashed, or took too long.
    """
    board = images.project.board
    ended = emulate(images.emulator, board=board, directory=images.emulator.parent)
    said = ended.stdout + ended.stderr  # which of them, depends on qemu's version
    passed = ended.returncode == 0 and "PASS" in said
    if not passed and "FAIL" not in said:
        raise ToolFailedError(
            "the program crashed in qemu", where=str(images.emulator), why=said.strip()[-500:]
        )
    numbers = {name: int(number) for name, number in _NUMBER.findall(said)} if passed else {}
    return GoldenRun(
        passed=passed,
        said=said.strip(),
        instructions=board.count_instructions(numbers.get("ticks", 0)),
        stack_bytes=numbers.get("stack_bytes", 0),
    )
