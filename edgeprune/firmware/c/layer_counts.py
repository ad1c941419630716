"""Instructions of each layer, counted in the emulator: the model run once more, with marks in between."""

from dataclasses import dataclass
from pathlib import Path

from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.emulator import Array, run_image
from edgeprune.firmware.c.engine import Engine
from edgeprune.firmware.c.image import build_marked_image
from edgeprune.firmware.c.layer import Optimize


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerCount:
    """What one op takes.

    Attributes:
        op: its index in the model.
        name: of the op.
        function: the C function it became.
        instructions: of one call, exact to two.
        weight_bytes: of its arrays in `weights.c`.
    """

    op: int
    name: str
    function: str
    instructions: int
    weight_bytes: int


def count_layers(
    engine: Engine,
    inputs: tuple[Array, ...],
    *,
    directory: Path,
    board: EmulatedBoard,
    optimize: Optimize = "speed",
) -> tuple[LayerCount, ...]:
    """What each op takes on the first sample, in order; ops that are only another name are left out.

    Args:
        engine: the C sources.
        inputs: one array per input, (samples, *its shape), in the model's own types.
        directory: where the image goes.
        board: whose core counts.
        optimize: what the compiler is told to save.

    Raises:
        ToolError: compiler or emulator are missing or failed.
    """
    elf, steps = build_marked_image(engine, directory=directory, board=board, optimize=optimize)
    first = tuple(array[:1] for array in inputs)
    run = run_image(elf, first, model=engine.program.model, board=board)
    return tuple(
        LayerCount(
            op=step.op.index,
            name=step.op.name,
            function=step.label,
            instructions=instructions,
            weight_bytes=sum(constant.values.nbytes for constant in step.layer.constants),
        )
        for step, instructions in zip(steps, run.layers, strict=True)
    )
