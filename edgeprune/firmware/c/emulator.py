"""The C engine's program on samples: in qemu, counted and measured, or on this machine."""

import itertools
import subprocess
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.children import ending_error, was_killed
from edgeprune.errors import ToolFailedError, ToolMissingError, ToolStoppedError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.tflite.model import NUMPY_TYPES, Model

Array = NDArray[Any]

PROGRAM = "qemu-system-arm"
_SHIFT = 5  # 2^5 ns per instruction, see boards.py


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EmulatedRun:
    """What the emulator saw.

    Attributes:
        outputs: one array per output, (samples, *its shape).
        instructions: of each sample's inference.
        stack_bytes: the deepest stack of the first inference, from the call on.
        layers: instructions of each layer in the last sample, if the image counts them.
    """

    outputs: tuple[Array, ...]
    instructions: tuple[int, ...]
    stack_bytes: int
    layers: tuple[int, ...] = ()


def run_image(
    elf: Path,
    inputs: tuple[Array, ...],
    *,
    model: Model,
    board: EmulatedBoard,
    timeout_seconds: float = 600.0,
) -> EmulatedRun:
    """Outputs, instructions and stack of an image in qemu.

    Args:
        elf: what `build_image` made.
        inputs: one array per input, (samples, *its shape), in the model's own types.
        model: the model.
        board: what the image was linked for.
        timeout_seconds: for all samples.

    Raises:
        ToolMissingError: `qemu-system-arm` is not installed.
        ToolFailedError: it failed, or the program crashed in it.
    """
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        (root / "input.bin").write_bytes(interleave(inputs))
        ended = emulate(elf, board=board, directory=root, timeout_seconds=timeout_seconds)
        samples = _count_samples(inputs)
        outputs = (root / "output.bin").read_bytes() if (root / "output.bin").exists() else b""
        ticks, marks = _read_numbers(root / "ticks.bin"), _read_numbers(root / "layers.bin")
    if ended.returncode != 0 or len(ticks) != samples + 1:
        raise ToolFailedError("the program crashed in qemu", where=str(elf), why=ended.stderr.strip()[-500:])
    return EmulatedRun(
        outputs=_separate(outputs, model, samples),
        instructions=tuple(board.count_instructions(each) for each in ticks[1:]),
        stack_bytes=int(ticks[0]),
        layers=tuple(board.count_instructions(each) for each in _divide_ticks(marks)),
    )


def emulate(
    elf: Path, *, board: EmulatedBoard, directory: Path, timeout_seconds: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """How an image ended in qemu, and what it wrote.

    Args:
        elf: the image.
        board: what it was linked for.
        directory: where its files are.
        timeout_seconds: when to give up.

    Raises:
        ToolMissingError: `qemu-system-arm` is not installed.
        ToolStoppedError: it was killed, or took too long.
    """
    if which(PROGRAM) is None:
        raise ToolMissingError(f"{PROGRAM} is not installed", fix=f"on Debian: apt-get install {PROGRAM}")
    command = [*find_command(board, str(elf.resolve())), "-monitor", "none", "-serial", "none"]
    try:
        ended = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolStoppedError(f"qemu took more than {timeout_seconds:.0f} s", where=str(elf)) from error
    if was_killed(ended.returncode):
        raise ending_error("qemu", ended.returncode, why=ended.stderr.strip()[-500:])
    return ended


def find_command(board: EmulatedBoard, elf: str) -> list[str]:
    """The command that runs an image in qemu: program and arguments."""
    command = [PROGRAM, "-M", board.machine, "-kernel", elf, "-nographic", "-icount", f"shift={_SHIFT}"]
    return [*command, "-semihosting-config", "enable=on,target=native"]


def _read_numbers(file: Path) -> list[int]:
    return [int(number) for number in np.fromfile(file, "<u4")] if file.exists() else []


def _divide_ticks(marks: list[int]) -> list[int]:
    """Ticks of each layer, without those of marking; see `runner.c`."""
    if len(marks) < 2:
        return []
    marking = marks[1] - marks[0]
    return [max(0, later - sooner - marking) for sooner, later in itertools.pairwise(marks[1:])]


def run_host_program(
    program: Path, inputs: tuple[Array, ...], *, model: Model, timeout_seconds: float = 600.0
) -> tuple[Array, ...]:
    """Outputs of a program that `build_host_program` made, one array per output.

    Args:
        program: the program.
        inputs: one array per input, (samples, *its shape), in the model's own types.
        model: the model.
        timeout_seconds: for all samples.

    Raises:
        ToolStoppedError: it was killed, or took too long.
        ToolFailedError: it crashed; a sanitizer's report is part of the message.
    """
    try:
        ended = subprocess.run(
            [str(program)],
            input=interleave(inputs),
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolStoppedError(f"the generated program took more than {timeout_seconds:.0f} s") from error
    if was_killed(ended.returncode):
        raise ending_error("the generated program", ended.returncode, why="")
    if ended.returncode != 0:
        why = ended.stderr.decode(errors="replace").strip()[:1500]
        raise ToolFailedError("the generated program crashed", where=str(program), why=why)
    return _separate(ended.stdout, model, _count_samples(inputs))


def _count_samples(inputs: tuple[Array, ...]) -> int:
    """A model without inputs makes one."""
    return len(inputs[0]) if inputs else 1


def interleave(inputs: tuple[Array, ...]) -> bytes:
    """What `input.bin` holds: sample by sample, input by input."""
    if not inputs:
        return bytes(1)  # as `image.py` has the program read it
    return b"".join(array[sample].tobytes() for sample in range(len(inputs[0])) for array in inputs)


def _separate(data: bytes, model: Model, samples: int) -> tuple[Array, ...]:
    rows = np.frombuffer(data, np.uint8).reshape(samples, -1)
    arrays, start = [], 0
    for tensor in model.outputs:
        piece = np.ascontiguousarray(rows[:, start : start + tensor.bytes])
        arrays.append(piece.view(NUMPY_TYPES[tensor.dtype]).reshape(samples, *tensor.shape))
        start += tensor.bytes
    return tuple(arrays)
