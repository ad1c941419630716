"""The C engine's program on samples: in qemu, counted and measured, or on this machine."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ToolFailedError, ToolMissingError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.tflite.model import NUMPY_TYPES, Model

Array = NDArray[Any]

_SHIFT = 5  # 2^5 ns per instruction, see boards.py


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EmulatedRun:
    """What the emulator saw.

    Attributes:
        outputs: one array per output, (samples, *its shape).
        instructions: of each sample's inference.
        stack_bytes: the deepest stack of the first inference, from the call on.
    """

    outputs: tuple[Array, ...]
    instructions: tuple[int, ...]
    stack_bytes: int


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
    if which("qemu-system-arm") is None:
        raise ToolMissingError(
            "qemu-system-arm is not installed", fix="on Debian: apt-get install qemu-system-arm"
        )
    command = ["qemu-system-arm", "-M", board.machine, "-kernel", str(elf.resolve()), "-nographic"]
    command += ["-monitor", "none", "-serial", "none", "-icount", f"shift={_SHIFT}"]
    command += ["-semihosting-config", "enable=on,target=native"]
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        (root / "input.bin").write_bytes(_interleave(inputs))
        try:
            ended = subprocess.run(
                command, cwd=root, capture_output=True, text=True, timeout=timeout_seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ToolFailedError(f"qemu took more than {timeout_seconds:.0f} s", where=str(elf)) from error
        samples = len(inputs[0])
        outputs = (root / "output.bin").read_bytes() if (root / "output.bin").exists() else b""
        ticks = np.fromfile(root / "ticks.bin", "<u4") if (root / "ticks.bin").exists() else np.empty(0)
    if ended.returncode != 0 or len(ticks) != samples + 1:
        raise ToolFailedError("the program crashed in qemu", where=str(elf), why=ended.stderr.strip()[-500:])
    return EmulatedRun(
        outputs=_separate(outputs, model, samples),
        instructions=tuple(board.count_instructions(int(each)) for each in ticks[1:]),
        stack_bytes=int(ticks[0]),
    )


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
        ToolFailedError: it crashed; a sanitizer's report is part of the message.
    """
    ended = subprocess.run(
        [str(program)], input=_interleave(inputs), capture_output=True, timeout=timeout_seconds, check=False
    )
    if ended.returncode != 0:
        why = ended.stderr.decode(errors="replace").strip()[:1500]
        raise ToolFailedError("the generated program crashed", where=str(program), why=why)
    return _separate(ended.stdout, model, len(inputs[0]))


def _interleave(inputs: tuple[Array, ...]) -> bytes:
    return b"".join(array[sample].tobytes() for sample in range(len(inputs[0])) for array in inputs)


def _separate(data: bytes, model: Model, samples: int) -> tuple[Array, ...]:
    rows = np.frombuffer(data, np.uint8).reshape(samples, -1)
    arrays, start = [], 0
    for tensor in model.outputs:
        piece = np.ascontiguousarray(rows[:, start : start + tensor.bytes])
        arrays.append(piece.view(NUMPY_TYPES[tensor.dtype]).reshape(samples, *tensor.shape))
        start += tensor.bytes
    return tuple(arrays)
