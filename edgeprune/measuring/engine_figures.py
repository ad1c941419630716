"""Figures of a `.tflite` file as firmware of the C engine: read from the very image, run in the emulator.

Without a cross-compiler, an emulator or TFLM, whose outputs are expected of the image, it is estimated: the
arena and the constants are known from the generated sources, code and instructions only roughly.
"""

from collections.abc import Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from edgeprune.device.estimate import time_instructions
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.instructions import estimate_instructions, load_instruction_table
from edgeprune.device.profile import Profile
from edgeprune.errors import ToolFailedError, ToolMissingError
from edgeprune.firmware.c.boards import BOARDS, find_board
from edgeprune.firmware.c.boards import instructions_of as extensions_of
from edgeprune.firmware.c.build import Images, build_images
from edgeprune.firmware.c.emulator import PROGRAM
from edgeprune.firmware.c.golden_run import GoldenRun, run_golden_check
from edgeprune.firmware.c.graph import compile_model
from edgeprune.firmware.c.layout import lay_out_board
from edgeprune.firmware.c.program import Program
from edgeprune.firmware.c.project import write_engine_project
from edgeprune.firmware.c.room import (
    BOARD_MARGIN_BYTES,
    CODE_HIGH,
    CODE_LOW,
    LEAST_STACK_BYTES,
    find_room,
    guess_code_bytes,
)
from edgeprune.firmware.c.toolchain import COMPILER
from edgeprune.graph.opshape import OpShape
from edgeprune.runtimes.golden import draw_inputs, record_golden
from edgeprune.tflite.model import Model

_OF_TFLM, _OF_TFLM_LOW, _OF_TFLM_HIGH = 0.5, 0.18, 0.95
_OF_TFLM_HIGH_FOR_LSTM = 3.0
_OF_TFLM_LOW_BY_WINOGRAD = 0.12
"""Instructions as a fraction of TFLM's with CMSIS-NN: eight models, five cores (scripts/bench_engine.py)."""
_STACK_BYTES = 512


def figure_engine_file(
    tflite: bytes, model: Model, *, ops: Sequence[OpShape], profile: Profile
) -> dict[str, Figure]:
    """Builds a file's firmware for the emulator, runs it on one sample, and reads every figure but its size.

    Args:
        tflite: the file; the C engine has all of its ops.
        model: the same, read.
        ops: shapes of its ops.
        profile: the device.

    Raises:
        OpError: the C engine lacks what an op asks for.
        ToolFailedError: compiler or emulator failed, or the outputs are not TFLM's.
    """
    program = compile_model(
        model, prefix="model", instructions=extensions_of(profile.core), room=find_room(profile)
    )
    obstacle, golden = _find_obstacle(program, profile), None
    if not obstacle:
        try:
            # The figures hardly depend on what is computed.
            inputs = draw_inputs(model, samples=1, seed=0)
            golden = record_golden(tflite, inputs, samples=1, origin="Random numbers")
        except ToolMissingError as error:
            obstacle = error.what
    if golden is None:
        return _estimate(program, ops=ops, obstacle=obstacle, profile=profile)
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        project = write_engine_project(Path(folder), tflite, golden=golden, profile=profile)
        images = build_images(project, profile=profile)
        run = require_pass(run_golden_check(images))
        return figure_image(images, run, samples=1, profile=profile)


def require_pass(run: GoldenRun) -> GoldenRun:
    """The run, if every output was as expected. Raises ToolFailedError."""
    if not run.passed:
        raise ToolFailedError(
            "the C engine's outputs are not those of TFLM's reference kernels",
            why=run.said,
            fix="use --runtime tflm, and report this as a bug in edgeprune",
        )
    return run


def figure_image(images: Images, run: GoldenRun, *, samples: int, profile: Profile) -> dict[str, Figure]:
    """`flash_bytes`, `arena_bytes`, `ram_bytes`, `instructions` and `latency_ms` of an image that ran.

    Args:
        images: the project's.
        run: how its check ended.
        samples: how many there were.
        profile: the device.
    """
    sizes, board = images.sizes, images.project.board
    linked = f"read back from the ELF, linked for {board.core}"
    instructions = _simulated(
        run.instructions,
        f"counted in qemu ({board.machine}), the largest of {samples} samples",
        unit="",
    )
    return {
        "flash_bytes": _simulated(
            sizes.flash,
            f"{linked}: {sizes.weights} of weights, {sizes.code} of code with start-up and the check; "
            "without golden samples",
        ),
        "arena_bytes": _simulated(
            images.project.engine.program.plan.total_bytes,
            "of the generated sources, without inputs and outputs",
        ),
        "ram_bytes": _simulated(
            sizes.ram + run.stack_bytes,
            f"{linked}: arena, state, inputs and outputs ({sizes.ram}); and the stack ({run.stack_bytes}), "
            "painted in qemu",
        ),
        "instructions": instructions,
        "latency_ms": _time(instructions, profile),
    }


def find_missing_tool() -> str:
    """Why no firmware can be simulated here, as a clause; "" where it can."""
    missing = [tool for tool in (COMPILER, PROGRAM) if which(tool) is None]
    if not missing:
        return ""
    return f"{' and '.join(missing)} are not installed ('edgeprune doctor' says how to get them)"


def _find_obstacle(program: Program, profile: Profile) -> str:
    """Why the firmware cannot be simulated, as a clause; "" where it can."""
    if profile.core.lower() not in {board.core.lower() for board in BOARDS}:
        return f"qemu emulates no {profile.core}"
    missing = find_missing_tool()
    if missing:
        return missing
    board = find_board(profile.core)
    layout = lay_out_board(board)
    needed = (
        ("weights", program.constant_bytes, layout.weights.size_bytes),
        ("data", program.static_bytes, layout.ram.size_bytes),
    )
    for what, size, there in needed:
        if size + BOARD_MARGIN_BYTES > there:
            return f"qemu's {board.machine} has {there // 1024} KiB for {what}, and {size} bytes are needed"
    return ""


def _estimate(
    program: Program, *, ops: Sequence[OpShape], obstacle: str, profile: Profile
) -> dict[str, Figure]:
    layers = sum(not step.layer.is_alias for step in program.steps)
    constants, static = program.constant_bytes, program.static_bytes
    code = guess_code_bytes([step.layer for step in program.steps])
    instructions = _estimate_instructions(ops, saves=program.saves, obstacle=obstacle, profile=profile)
    return {
        "flash_bytes": Figure(
            value=float(constants + code),
            unit="bytes",
            source="estimated",
            evidence=f"constants ({constants}) of the generated sources, and {code} of code, guessed from "
            f"{layers} layers: {obstacle}",
            low=constants + CODE_LOW * code,
            high=constants + CODE_HIGH * code,
        ),
        "arena_bytes": _simulated(
            program.plan.total_bytes, "of the generated sources, without inputs and outputs"
        ),
        "ram_bytes": Figure(
            value=float(static + _STACK_BYTES),
            unit="bytes",
            source="estimated",
            evidence=f"arena, state, inputs and outputs ({static}) of the generated sources, and "
            f"{_STACK_BYTES} of stack: {obstacle}",
            low=float(static),
            high=float(static + LEAST_STACK_BYTES),
        ),
        "instructions": instructions,
        "latency_ms": _time(instructions, profile),
    }


def _estimate_instructions(
    ops: Sequence[OpShape], *, saves: float, obstacle: str, profile: Profile
) -> Figure:
    """A fraction of TFLM's, less what faster layers save."""
    if not profile.latency.table:
        return unavailable("instructions", f"no instruction counts for {profile.core}, and {obstacle}")
    tflm = estimate_instructions(ops, load_instruction_table(profile.latency.table)).figure
    if tflm.value is None:
        return tflm
    has_lstm = any(op.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" for op in ops)
    high = (_OF_TFLM_HIGH_FOR_LSTM if has_lstm else _OF_TFLM_HIGH) * (tflm.high or tflm.value)
    low = (_OF_TFLM_LOW_BY_WINOGRAD if saves else _OF_TFLM_LOW) * (tflm.low or tflm.value)
    less = f", less {saves:.0f} for layers by Winograd's kernel" if saves else ""
    return Figure(
        value=max(low, _OF_TFLM * tflm.value - saves),
        unit="",
        source="estimated",
        evidence=f"{_OF_TFLM:g} of what TFLM with CMSIS-NN takes ({tflm.evidence}){less}, for {obstacle}",
        low=low,
        high=max(low, high - saves),
    )


def _time(instructions: Figure, profile: Profile) -> Figure:
    """Counted instructions at the core's pace, which is that of TFLM's kernels on the board."""
    if profile.latency.by != "instructions":
        return unavailable("latency_ms", profile.latency.source)
    return time_instructions(instructions, profile)


def _simulated(value: int, evidence: str, *, unit: str = "bytes") -> Figure:
    return Figure(value=float(value), unit=unit, source="simulated", evidence=evidence)
