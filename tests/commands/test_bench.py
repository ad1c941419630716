import os
import shutil
import subprocess
import threading
from pathlib import Path
from zlib import crc32

import pytest
from serial_board import serial_board
from small_models import dense_int8

from edgeprune.commands.bench import (
    BenchRequest,
    bench,
    doubt_ticks,
    phone_commands,
    read_benchmark_model,
    read_console,
)
from edgeprune.device.record import read_record
from edgeprune.errors import DataError, DeviceError, OutputError, ToolMissingError
from edgeprune.runtimes.serial_port import listen

DATA = b"a model"
CONSOLE = [
    "booting",
    "runtime TFLM",
    f"model_crc32 {crc32(DATA)} of {len(DATA)} bytes",
    "arena_used_bytes 12932 of 14000",
    "ticks 3465065 for one inference, at 25000000 per second",
    "PASS",
]


def test_the_console_of_the_golden_check_gives_time_and_arena():
    times = read_console(CONSOLE, data=DATA, where="here")
    assert times.median_ms == pytest.approx(3465065 / 25e6 * 1e3)
    assert (times.arena_bytes, times.golden, times.runtime) == (12932, True, "TFLM")


@pytest.mark.parametrize(
    ("ticks_per_second", "clock_mhz", "is_doubted"),
    [(25_000_000, 120, True), (120_000_000, 120, False), (119_500_000, 120, False), (1_000_000, 120, False)],
)
def test_ticks_that_are_not_the_clocks_are_doubted(ticks_per_second, clock_mhz, is_doubted):
    assert ("EDGEPRUNE_TICKS_PER_SECOND" in doubt_ticks(ticks_per_second, clock_mhz=clock_mhz)) == is_doubted


def test_another_model_on_the_board_is_told():
    with pytest.raises(DataError, match="another model"):
        read_console(CONSOLE, data=b"my model", where="here")


def test_a_failed_check_is_no_measurement_and_its_words_are_passed_on():
    lines = [*CONSOLE[:2], "sample 0, output 0, index 3: expected 5, got 9", "FAIL"]
    with pytest.raises(DeviceError, match="expected 5, got 9"):
        read_console(lines, data=DATA, where="here")


def test_a_program_that_says_nothing_of_the_time_is_told():
    with pytest.raises(DeviceError, match="nothing of the time"):
        read_console(["hello", "PASS"], data=DATA, where="here")


def test_a_board_that_does_not_say_which_model_it_runs_is_noticed():
    assert read_console(CONSOLE, data=DATA, where="here").is_identified
    assert not read_console(CONSOLE[-2:], data=DATA, where="here").is_identified


def test_numbers_of_absurd_length_are_no_time():
    line = f"ticks {'9' * 400} for one inference, at 1 per second"
    with pytest.raises(DeviceError, match="nothing of the time"):
        read_console([line, "PASS"], data=DATA, where="here")


def test_a_port_that_is_not_there_is_told():
    with pytest.raises(DeviceError, match="cable"):
        listen("/dev/ttyEDGEPRUNE", baud=115200, seconds=1.0, ends=("PASS",))


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals on this system")
def test_a_board_that_falls_silent_is_told_with_its_last_line():
    main, end = os.openpty()
    # Opening the port throws away what came before.
    speaks = threading.Timer(0.3, os.write, (main, b"booting\r\nstill here\r\n"))
    speaks.start()
    with pytest.raises(DeviceError, match="still here"):
        listen(os.ttyname(end), baud=115200, seconds=1.0, ends=("PASS",))
    speaks.join()
    os.close(main)
    os.close(end)


PROGRAM = r"""
#include <stdint.h>
extern uint32_t _estack;
void Reset(void);
__attribute__((section(".vectors"), used)) static void *const vectors[] = {&_estack, (void *)Reset};
static volatile uint32_t *const uart = (volatile uint32_t *)0x40004000u;
static void Write(const char *text) {
  for (; *text != '\0'; ++text) {
    while (uart[1] & 1u) {}
    uart[0] = (uint32_t)*text;
  }
}
void Reset(void) {
  uart[4] = 16u;  /* the baud rate's divider */
  uart[2] = 3u;   /* transmit and receive */
  while (!(uart[1] & 2u)) {}  /* wait for somebody to listen */
  Write(TEXT);
  for (;;) {}
}
"""
LAYOUT = """
MEMORY { code (rx) : ORIGIN = 0, LENGTH = 64K
         data (rw) : ORIGIN = 0x20000000, LENGTH = 64K }
_estack = ORIGIN(data) + LENGTH(data);
SECTIONS { .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > code }
"""


def build_board(folder: Path, text: str) -> Path:
    """An image for a Cortex-M7 that writes the text to its UART once it hears something."""
    if not (shutil.which("qemu-system-arm") and shutil.which("arm-none-eabi-gcc")):
        pytest.skip("qemu-system-arm or arm-none-eabi-gcc is not installed")
    (folder / "board.c").write_text(PROGRAM)
    (folder / "board.ld").write_text(LAYOUT)
    quoted = text.replace("\n", "\\r\\n")
    flags = ["-mcpu=cortex-m7", "-mthumb", "-O1", "-ffreestanding", "-nostdlib", f'-DTEXT="{quoted}"']
    image = folder / "board.elf"
    subprocess.run(
        ["arm-none-eabi-gcc", *flags, "-T", folder / "board.ld", folder / "board.c", "-o", image], check=True
    )
    return image


def test_a_board_is_measured_over_its_serial_port(tmp_path):
    data = dense_int8()
    (tmp_path / "m.tflite").write_bytes(data)
    text = "\n".join(
        [
            f"model_crc32 {crc32(data)} of {len(data)} bytes",
            "arena_used_bytes 900 of 1000",
            "ticks 50000 for one inference, at 25000000 per second",
            "PASS\n",
        ]
    )
    with serial_board(build_board(tmp_path, text), machine="mps2-an500") as port:
        record = bench(
            BenchRequest(
                file=tmp_path / "m.tflite",
                device="cortex-m7",
                place="board",
                port=port,
                wait_seconds=20.0,
                output=tmp_path / "r.json",
            )
        ).record
    assert record.latency_ms == pytest.approx(2.0)
    assert (record.arena_bytes, record.golden, record.on) == (900, True, "board")
    assert read_record(tmp_path / "r.json") == record
    assert record.instructions["fully_connected"] > 0


def test_this_machine_is_measured_with_litert(tmp_path):
    (tmp_path / "m.tflite").write_bytes(dense_int8())
    request = BenchRequest(
        file=tmp_path / "m.tflite",
        device="raspberry-pi-4",
        place="host",
        runs=5,
        output=tmp_path / "r.json",
    )
    record = bench(request).record
    assert 0 < record.low_ms <= record.latency_ms <= record.high_ms
    assert record.runs == 5
    assert "work_ms" in record.instructions
    with pytest.raises(OutputError):
        bench(request)


def test_what_benchmark_model_prints_is_read():
    text = (
        "Warmup:\ncount=50 first=9 curr=8 min=7 max=12 avg=8.5 std=0\n"
        "count=100 first=900 curr=950 min=890 max=1100 avg=930.5 std=12\n"
        "Inference timings in us: Init: 10, First inference: 900, Warmup (avg): 8.5, Inference (avg): 930.5\n"
        "Inference (avg): 930.5\n"
    )
    times = read_benchmark_model(text, threads=4)
    assert (times.median_ms, times.low_ms, times.high_ms, times.runs) == (0.9305, 0.89, 1.1, 100)
    with pytest.raises(DeviceError, match="no times"):
        read_benchmark_model("nothing", threads=4)


def test_the_phone_gets_the_file_before_it_is_asked_to_run_it(tmp_path):
    push, run = phone_commands(tmp_path / "m.tflite", runs=7, threads=2)
    assert push[:2] == ["adb", "push"]
    assert f"--graph={push[-1]}" in run
    assert {"--num_runs=7", "--num_threads=2"} <= set(run)


def test_without_adb_the_way_to_get_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "m.tflite").write_bytes(dense_int8())
    request = BenchRequest(
        file=tmp_path / "m.tflite", device="pixel-6", place="adb", output=tmp_path / "r.json"
    )
    with pytest.raises(ToolMissingError, match="platform tools"):
        bench(request)
    assert not (tmp_path / "r.json").exists()
