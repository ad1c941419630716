"""Count the loops of ops that no counted network has, for `edgeprune/device/tables/counted_ops.csv`.

    python scripts/count_loops/count.py FOLDER [--write]

FOLDER holds checkouts of tflite-micro, CMSIS-NN, CMSIS_6, gemmlowp, flatbuffers and ruy, by these names.
`loops.cc` runs each loop in qemu as compiled with the flags of edgeprune's projects. What TFLM does around a
kernel is added as it was counted where the same kernel ran in a network: 164 instructions for QUANTIZE, 455
for MAXIMUM with CMSIS-NN and 330 without (a third more on a Cortex-M0+).
"""

import argparse
import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeprune.firmware.c.boards import EmulatedBoard, find_board
from edgeprune.firmware.c.emulator import emulate

HERE = Path(__file__).parent
COUNTED = HERE.parents[1] / "edgeprune" / "device" / "tables" / "counted_ops.csv"
MODEL = "ops_loops"
"""How the rows are called: their total says nothing about a network."""

CORES = {
    "cortex-m0plus": 1.35,
    "cortex-m4": 1.0,
    "cortex-m7": 1.0,
    "cortex-m33": 1.0,
    "cortex-m55": 1.0,
}
"""Core → what TFLM takes around a kernel there, relative to a Cortex-M7."""
_AROUND_QUANTIZE, _AROUND_MAXIMUM = 164, {"cmsis-nn": 455, "reference": 330}
_SIZES = (39, 100, 1000, 16384)
_SHAPES = ((3, 10, 16), (3, 40, 4), (3, 333, 16), (3, 40, 64))

_FLAGS = ("-mthumb", "-O3", "-DNDEBUG", "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY")
_CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
_SOURCES = (
    "tflite-micro/tensorflow/lite/kernels/internal/common.cc",
    "CMSIS-NN/Source/BasicMathFunctions/arm_maximum_s8.c",
)
_INCLUDES = (
    *("tflite-micro", "gemmlowp", "flatbuffers/include", "ruy"),
    *("CMSIS-NN/Include", "CMSIS_6/CMSIS/Core/Include"),
)
_MEMORY = """MEMORY {{
  CODE (rx) : ORIGIN = {code[0]}, LENGTH = {code[1]}K
  DATA (rwx) : ORIGIN = {data[0]}, LENGTH = {data[1]}K
}}
ENTRY(Reset_Handler)
SECTIONS {{
  .text : {{ KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) }} > CODE
  .ARM.exidx : {{ *(.ARM.exidx*) }} > CODE
  .data : {{ *(.data .data.*) }} > DATA
  .bss : {{ *(.bss .bss.* COMMON) . = ALIGN(8); end = .; }} > DATA
}}
stack_top = {data[0]} + {data[1]} * 1024;
"""


def count_loops(sources: Path, board: EmulatedBoard) -> list[int]:
    """Instructions of each case of `loops.cc`, in order."""
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        (root / "memory.ld").write_text(_MEMORY.format(code=board.code, data=board.data), encoding="utf-8")
        objects = []
        for source in (HERE / "start.c", HERE / "loops.cc", *(sources / name for name in _SOURCES)):
            objects.append(str(root / f"{source.stem}.o"))
            is_cxx = source.suffix == ".cc"
            includes = (f"-I{sources / include}" for include in _INCLUDES)
            flags = [*board.flags, *_FLAGS, *(_CXX_FLAGS if is_cxx else ()), *includes]
            compiler = f"arm-none-eabi-{'g++' if is_cxx else 'gcc'}"
            subprocess.run([compiler, *flags, "-c", str(source), "-o", objects[-1]], check=True)
        link = ["arm-none-eabi-g++", *board.flags, "-mthumb", "-nostartfiles", "--specs=nano.specs"]
        link += ["-Wl,--gc-sections", "-T", str(root / "memory.ld"), *objects, "-o", str(root / "loops.elf")]
        subprocess.run(link, check=True)
        ended = emulate(root / "loops.elf", board=board, directory=root)
    return [board.count_instructions(int(line)) for line in (ended.stdout + ended.stderr).split()]


def list_rows(counts: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """The rows of the table, of each core's counts."""
    for index, size in enumerate(_SIZES):
        yield _row(
            {"op": "QUANTIZE", "inputs": f"1x{size}", "output": f"1x{size}", "dtype": "uint8"},
            {core: (own[index], own[index]) for core, own in counts.items()},
            around={"cmsis-nn": _AROUND_QUANTIZE, "reference": _AROUND_QUANTIZE},
        )
    for index, (height, width, channels) in enumerate(_SHAPES):
        shape = f"1x{height}x{width}x{channels}"
        for other, inputs in enumerate((shape, f"{shape}|1x1x1x{channels}")):
            at = len(_SIZES) + 4 * index + 2 * other
            yield _row(
                {"op": "MAXIMUM", "inputs": inputs, "output": shape},
                {core: (own[at], own[at + 1]) for core, own in counts.items()},
                around=_AROUND_MAXIMUM,
            )


def _row(op: dict[str, Any], counts: dict[str, tuple[int, int]], *, around: dict[str, int]) -> dict[str, Any]:
    row = {"model": MODEL, **op}
    for core, pair in counts.items():
        for library, count in zip(("cmsis-nn", "reference"), pair, strict=True):
            row[f"{core}-{library}"] = round(count + CORES[core] * around[library])
    return row


def main() -> None:
    """Count on every core, print the rows, and put them into the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    cores = {core: find_board(core.replace("plus", "+")) for core in CORES}
    counts = {core: count_loops(arguments.sources, board) for core, board in cores.items()}
    rows = list(list_rows(counts))
    for row in rows:
        print(*row.values())
    if arguments.write:
        with COUNTED.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names, kept = reader.fieldnames or (), [row for row in reader if row["model"] != MODEL]
        with COUNTED.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows([*kept, *rows])


if __name__ == "__main__":
    main()
