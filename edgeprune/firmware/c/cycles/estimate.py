"""Cycles of each layer, from the blocks that ran and the core's timing."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgeprune.errors import RecipeError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.cycles.disassembly import Instruction, disassemble
from edgeprune.firmware.c.cycles.timing import TIMINGS, Timing, count_cycles
from edgeprune.firmware.c.cycles.trace import Block, Steps, trace_layers
from edgeprune.firmware.c.emulator import Array
from edgeprune.firmware.c.engine import Engine
from edgeprune.firmware.c.image import build_marked_image
from edgeprune.firmware.c.layer import Optimize


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerCycles:
    """What one op takes: instructions that ran, and the cycles they are estimated to take."""

    function: str
    instructions: int
    cycles: int


def estimate_layers(
    engine: Engine,
    inputs: tuple[Array, ...],
    *,
    directory: Path,
    board: EmulatedBoard,
    optimize: Optimize = "speed",
) -> tuple[LayerCycles, ...]:
    """Cycles of each op on the first sample, in order; ops that are only another name are left out.

    Args:
        engine: the C sources.
        inputs: one array per input, (samples, *its shape), in the model's own types.
        directory: where the image goes.
        board: whose core is meant.
        optimize: what the compiler is told to save.

    Raises:
        RecipeError: no timing of the core is published.
        ToolError: compiler or emulator are missing or failed.
    """
    timing = find_timing(board.core)
    elf, steps = build_marked_image(engine, directory=directory, board=board, optimize=optimize)
    traced = trace_layers(elf, tuple(array[:1] for array in inputs), board=board)
    code = disassemble(elf, board=board)
    return tuple(
        LayerCycles(
            function=step.label,
            instructions=count_instructions(blocks, code),
            cycles=estimate_cycles(blocks, code, timing),
        )
        for step, blocks in zip(steps, traced, strict=True)
    )


def find_timing(core: str) -> Timing:
    """The timing of a core. Raises RecipeError where none is published."""
    if core not in TIMINGS:
        known = ", ".join(TIMINGS)
        raise RecipeError(f"there is no timing of a {core}", fix=f"cycles are estimated for {known}")
    return TIMINGS[core]


def count_instructions(steps: Steps, code: Mapping[int, Instruction]) -> int:
    """How many instructions ran."""
    return sum(times * len(_read_block(block, code)) for (_, block), times in steps.items())


def estimate_cycles(steps: Steps, code: Mapping[int, Instruction], timing: Timing) -> int:
    """Cycles of blocks: each costs what it adds behind the one before it.

    Args:
        steps: how often each block was entered, and from where.
        code: address → instruction.
        timing: of the core.
    """

    @cache
    def alone(block: Block) -> int:
        return count_cycles([_read_block(block, code)], timing)

    total = 0
    for (before, block), times in steps.items():
        if before is None:
            total += times * alone(block)
            continue
        pair = [_read_block(before, code), _read_block(block, code)]
        total += times * (count_cycles(pair, timing) - alone(before))
    return total + timing.mispredicted_cycles * _count_rare_ways(steps, code)


def _read_block(block: Block, code: Mapping[int, Instruction]) -> list[Instruction]:
    found = []
    address = block.start
    while address < block.end and address in code:
        found.append(code[address])
        address = code[address].end
    return found


def _count_rare_ways(steps: Steps, code: Mapping[int, Instruction]) -> int:
    """How often conditional branches went another way than they mostly do."""
    ways: dict[Block, list[int]] = defaultdict(list)
    for (before, _), times in steps.items():
        if before is not None:
            ways[before].append(times)
    return sum(
        sum(times) - max(times)
        for block, times in ways.items()
        if (instructions := _read_block(block, code)) and instructions[-1].conditional
    )
