"""Which blocks of an image ran in qemu, how often, and behind which others.

qemu translates code block by block, up to the next branch. It writes down each block that it translates, and,
if it links none of them, each that it enters:

    0x00000052:  4291       cmp      r1, r2
    0x00000054:  bfb8       it       lt

    Trace 0: 0x7f4588000100 [00800408/00000052/00000110/ff000200] model_softmax_12
"""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from edgeprune.children import ending_error
from edgeprune.errors import ToolFailedError, ToolMissingError
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.emulator import PROGRAM, Array, interleave

MARK = "edgeprune_mark_layer"
"""The function that images made with EDGEPRUNE_COUNT_LAYERS call after each layer."""
_MODEL = re.compile(r"edgeprune_\w+_invoke")
_MARKING = (MARK, "read_ticks", "count_wrap")
_TRANSLATED = re.compile(r"^0x([0-9a-f]+):\s+((?:[0-9a-f]{4} ?){1,2})")
_ENTERED = re.compile(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/.*\] (\S*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Instructions that ran one behind the other: addresses from `start` to just before `end`."""

    start: int
    end: int


Steps = Counter[tuple[Block | None, Block]]
"""(block before, block) → how often it was entered from there."""


def trace_layers(elf: Path, inputs: tuple[Array, ...], *, board: EmulatedBoard) -> list[Steps]:
    """The blocks of each layer, in order, for one sample.

    Args:
        elf: an image made with EDGEPRUNE_COUNT_LAYERS.
        inputs: one array per input, (1, *its shape), in the model's own types.
        board: what it was linked for.

    Raises:
        ToolMissingError: `qemu-system-arm` is not installed.
        ToolFailedError: it failed, or wrote no blocks down.
    """
    if which(PROGRAM) is None:
        raise ToolMissingError(f"{PROGRAM} is not installed", fix=f"on Debian: apt-get install {PROGRAM}")
    command = [PROGRAM, "-M", board.machine, "-kernel", str(elf.resolve()), "-nographic", "-monitor", "none"]
    command += ["-semihosting-config", "enable=on,target=native", "-serial", "none"]
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        (Path(folder) / "input.bin").write_bytes(interleave(inputs))
        child = subprocess.Popen(
            [*command, "-d", "in_asm,exec,nochain"], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        assert child.stderr is not None
        with child.stderr:
            layers = read_trace(child.stderr)
        code = child.wait()
    if code != 0:
        raise ending_error("qemu", code, why="")
    if not layers:
        raise ToolFailedError("qemu wrote down no blocks", where=str(elf), why="it knows no disassembler")
    return layers


def read_trace(lines: Iterable[str]) -> list[Steps]:
    """The blocks of each layer, from what qemu wrote, from the call of the model to the last mark."""
    layers: list[Steps] = []
    before: Block | None = None
    mark: Block | None = None  # where its function begins
    for block, function in _read_blocks(lines):
        if not layers and _MODEL.fullmatch(function):
            layers.append(Counter())
        if function == MARK and layers:
            mark = mark or block
            if block == mark:
                layers.append(Counter())
        if function.startswith(_MARKING):
            before = None
        elif layers:
            layers[-1][before, block] += 1
            before = block
    return layers[:-1]


def _read_blocks(lines: Iterable[str]) -> Iterator[tuple[Block, str]]:
    """Each block that is entered, and the function it lies in."""
    known: dict[int, Block] = {}
    start: int | None = None
    end = 0
    for line in lines:
        if entered := _ENTERED.match(line):
            if start is not None:
                known[start] = Block(start=start, end=end)
                start = None
            address = int(entered[1], 16)
            if address in known:
                yield known[address], entered[2]
        elif translated := _TRANSLATED.match(line):
            address = int(translated[1], 16)
            start = address if start is None else start
            end = address + 2 * len(translated[2].split())
