"""How long a model takes where it runs: on this machine, a phone, or a board that is flashed already."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from edgeprune.device.profile import Profile, load_profile
from edgeprune.device.record import PLACES, Place, Record, describe_ops
from edgeprune.errors import DataError, DeviceError, ToolMissingError
from edgeprune.files import FileSource, name_file, read_file, refuse_existing, write_file
from edgeprune.progress import Progress, Silent
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.runtimes.serial_port import listen, require_pyserial
from edgeprune.runtimes.timing import time_litert
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model

PHONE_FOLDER = PurePosixPath("/data/local/tmp")
"""Where `adb` may write and execute."""
BENCHMARK_MODEL = str(PHONE_FOLDER / "benchmark_model")
TEST = "edgeprune.model.test/androidx.test.runner.AndroidJUnitRunner"
"""The test of an Android library that `edgeprune firmware` wrote, once it is installed on a phone."""
_TIMERS = (10**3, 10**6, 10**9)
"""Ticks per second of what counts time and not the clock: in milli-, micro- or nanoseconds."""
_SAME_CLOCK = 0.01
_PHONE_SECONDS = 600.0
_LIST_TESTS = ("adb", "shell", "pm", "list", "instrumentation")  # fails on Linux boards, which have no pm
_STATUS = "INSTRUMENTATION_STATUS: edgeprune="
"""Begins each line of that test, in what `am instrument -r` prints."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """What was measured.

    Attributes:
        runtime: name and version of what executed the model; "" where it does not say.
        median_ms, low_ms, high_ms: of one inference, with quartiles; the mean, the least and the most where
            `benchmark_model` says so.
        runs: how many there were.
        threads: of the runtime; 0 on a board.
        arena_bytes: what TFLM used, None elsewhere.
        golden: whether the outputs were the golden ones, None where none were compared.
        is_identified: whether the program on a board said that it runs this very file.
        ticks_per_second: of what the device counted, as it said; 0 where it did not count.
    """

    runtime: str
    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    threads: int = 0
    arena_bytes: int | None = None
    golden: bool | None = None
    is_identified: bool = True
    ticks_per_second: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchRequest:
    """What `edgeprune bench` is asked.

    Attributes:
        file: the path of a `.tflite` file, or its bytes.
        device: id or file of the profile that the record is for.
        place: where it runs.
        output: the record to write; None for none.
        port: serial port of the board.
        baud: its speed.
        wait_seconds: how long to wait for the board.
        runs: inferences, on the host and the phone.
        threads: likewise.
        clock_mhz: of the core while it runs; the profile's if not given.
        force: replace a record that exists.
    """

    file: FileSource
    device: str
    place: Place
    output: Path | None = None
    port: str = ""
    baud: int = 115200
    wait_seconds: float = 60.0
    runs: int = 50
    threads: int = 1
    clock_mhz: float | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class BenchResult(Summarized):
    """What `edgeprune bench` measured.

    Attributes:
        record: what 'edgeprune devices calibrate' reads.
        output: the file it was written to; None for none.
    """

    record: Record
    output: Path | None

    def to_json(self) -> dict[str, Any]:
        """The document of `bench --json`."""
        return {
            "output": None if self.output is None else str(self.output),
            "record": asdict(self.record),
        }

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the record and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        write_file(Path(output), self.record.to_json().encode(), force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(f"{self.record.latency_ms:.4g} ms on {self.record.on} with {self.record.runtime}.")


def bench(request: BenchRequest, *, progress: Progress | None = None) -> BenchResult:
    """Measure a model and write the record.

    Raises:
        ModelError: the file cannot be read.
        ProfileError, UnknownNameError: there is no such device, or its profile is broken.
        DataError: the device runs another model.
        DeviceError: the board or phone does not answer, or its program failed.
        ToolError: a program or package that is needed is missing or failed.
        OutputError: the record exists and `force` is not set, or cannot be written.
    """
    profile = load_profile(request.device)
    refuse_existing(request.output, force=request.force)
    data, where = read_file(request.file), name_file(request.file)
    model = read_model(data, where=where)
    told = progress or Silent()
    if request.place not in PLACES[profile.kind]:
        told.warn(
            f"--on {request.place} does not measure {profile.id}: 'edgeprune devices calibrate' will refuse "
            f"the record; give --on {' or '.join(PLACES[profile.kind])}"
        )
    if request.place == "host":
        times = _time_here(data, runs=request.runs, threads=request.threads)
    elif request.place == "adb":
        with _in_a_file(request.file) as path:
            times = time_on_phone(path, data=data, runs=request.runs, threads=request.threads)
    else:
        require_pyserial()
        told.stage(f"listen to {request.port}; press the board's reset button if it has run already")
        lines = listen(request.port, baud=request.baud, seconds=request.wait_seconds, ends=("PASS", "FAIL"))
        times = read_console(lines, data=data, where=request.port)
        if not times.is_identified:
            told.warn(f"the board did not say which model it runs; it is taken to be {Path(where).name}")
        clock_mhz = request.clock_mhz or profile.clock_mhz
        if clock_mhz and (doubt := doubt_ticks(times.ticks_per_second, clock_mhz=clock_mhz)):
            told.warn(doubt)
    record = _make_record(
        request, times, data=data, profile=profile, counts=describe_ops(op_shapes(model), profile)
    )
    result = BenchResult(record=record, output=request.output)
    if request.output is not None:
        result.save(request.output, force=request.force)
    return result


@contextmanager
def _in_a_file(source: FileSource) -> Iterator[Path]:
    """The path of a file, which is a temporary one for bytes."""
    if not isinstance(source, bytes):
        yield Path(source)
        return
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(source)
        yield path


def read_console(lines: Sequence[str], *, data: bytes, where: str) -> Times:
    """What the golden check of a project wrote on its console.

    The lines it looks for are those of `golden_check.cc` and `GoldenTest.kt`: the runtime, the model's CRC-32
    and size, the arena used, the ticks of one inference and ticks per second, their quartiles in so many
    runs, and PASS or FAIL. Others are left alone.

    Args:
        lines: what came from the device.
        data: the file that it should run.
        where: the port, for messages.

    Raises:
        DataError: it runs another model.
        DeviceError: the check failed, or said nothing of the time.
    """
    text = "\n".join(lines)
    model = re.search(r"^model_crc32 (\d{1,18}) of (\d{1,18}) bytes", text, re.M)
    if model and (int(model[1]), int(model[2])) != (crc32(data), len(data)):
        raise DataError(
            f"the device runs another model ({model[2]} bytes, CRC-32 {int(model[1]):08x})",
            where=where,
            why=f"the file has {len(data)} bytes, CRC-32 {crc32(data):08x}",
            fix="flash or install the project that was made from this file, or give the one it was made from",
        )
    if "FAIL" in (line.strip() for line in lines):
        said = " | ".join(line for line in lines if line.strip() and line.strip() != "FAIL")
        raise DeviceError(
            "the check on the device failed",
            where=where,
            why=said[-300:] or "it does not say why",
            fix="build the project as 'edgeprune firmware' wrote it, and flash or install it",
        )
    ticks = re.search(r"^ticks (\d{1,18}) for one inference, at (\d{1,18}) per second", text, re.M)
    if not ticks or not int(ticks[1]) or not int(ticks[2]):
        raise DeviceError(
            "the device said nothing of the time of an inference",
            where=where,
            why=f"{len(lines)} lines, the last: {lines[-1][:80] if lines else 'none'}",
            fix="flash or install a project of 'edgeprune firmware', whose check writes it",
        )
    runtime = re.search(r"^runtime (.+)$", text, re.M)
    arena = re.search(r"^arena_used_bytes (\d{1,18})", text, re.M)
    quartiles = re.search(r"^ticks_quartiles (\d{1,18}) to (\d{1,18}) in (\d{1,9}) runs", text, re.M)
    low, high, runs = quartiles.groups() if quartiles else (ticks[1], ticks[1], 1)
    tick_ms = 1e3 / int(ticks[2])
    return Times(
        runtime=runtime[1].strip() if runtime else "unknown runtime",
        median_ms=int(ticks[1]) * tick_ms,
        low_ms=int(low) * tick_ms,
        high_ms=int(high) * tick_ms,
        runs=int(runs),
        arena_bytes=int(arena[1]) if arena else None,
        golden=True,
        is_identified=model is not None,
        ticks_per_second=int(ticks[2]),
    )


def doubt_ticks(ticks_per_second: int, *, clock_mhz: float) -> str:
    """Why a time may be wrong that was counted in ticks; "" where they are those of the clock, or a timer's.

    A project counts with the core's clock, and takes the emulated board's for it until it is told another.
    """
    if (
        ticks_per_second in _TIMERS
        or abs(ticks_per_second - clock_mhz * 1e6) <= _SAME_CLOCK * clock_mhz * 1e6
    ):
        return ""
    return (
        f"the board says that it counts {ticks_per_second} ticks per second, and its clock is "
        f"{clock_mhz:g} MHz: if it counts with its clock, the time is wrong until the project is built with "
        "that number (EDGEPRUNE_TICKS_PER_SECOND of --runtime c); --clock-mhz is for another clock"
    )


def phone_commands(file: Path, *, runs: int, threads: int) -> tuple[list[str], list[str]]:
    """The two commands that measure a file on a phone: copy it, run TFLite's benchmark on it."""
    there = str(PHONE_FOLDER / "edgeprune_bench.tflite")
    run = [
        BENCHMARK_MODEL,
        f"--graph={there}",
        f"--num_threads={threads}",
        f"--num_runs={runs}",
        "--use_xnnpack=true",
    ]
    return ["adb", "push", str(file), there], ["adb", "shell", *run]


def instrument_command(*, runs: int, threads: int) -> list[str]:
    """The command that runs the test of an Android library on a phone, on the CPU, of which records are."""
    arguments = ["-e", "accelerator", "cpu", "-e", "runs", str(runs), "-e", "threads", str(threads)]
    return ["adb", "shell", "am", "instrument", "-w", "-r", *arguments, TEST]


def time_on_phone(file: Path, *, data: bytes, runs: int, threads: int) -> Times:
    """Time a file on the phone that adb is connected to.

    With the test of an Android library if it is installed, which compares outputs as well; else with
    `benchmark_model`. `docs/phones.md` has the protocol.

    Args:
        file: its path.
        data: its bytes.
        runs: how many inferences.
        threads: of the runtime.

    Raises:
        ToolMissingError: there is no adb.
        DataError: the test is of another model.
        DeviceError: no phone, neither test nor `benchmark_model` on it, or it failed.
    """
    if which("adb") is None:
        raise ToolMissingError(
            "adb is not installed", fix="install Android's platform tools (Debian: apt-get install adb)"
        )
    if f"instrumentation:{TEST} " in _run_adb(_LIST_TESTS, may_fail=True):
        said = _run_adb(instrument_command(runs=runs, threads=threads)).splitlines()
        lines = [line.removeprefix(_STATUS) for line in said if line.startswith(_STATUS)]
        if "PASS" not in lines and "FAIL" not in lines:
            raise DeviceError("the test on the phone did not end", where="adb", why=" | ".join(said)[-300:])
        return replace(read_console(lines, data=data, where="adb"), threads=threads)
    push, run = phone_commands(file, runs=runs, threads=threads)
    _run_adb(push)
    return read_benchmark_model(_run_adb(run), threads=threads)


def read_benchmark_model(text: str, *, threads: int) -> Times:
    """What TFLite's `benchmark_model` printed.

    Raises:
        DeviceError: it printed no times.
    """
    counts = re.findall(r"count=(\d+).*?min=(\d+) max=(\d+) avg=([\d.e+]+)", text)
    average = re.search(r"Inference \(avg\): ([\d.e+]+)", text)
    if not counts or average is None:
        raise DeviceError("benchmark_model printed no times", where="adb", why=text.strip()[-300:])
    # The first block is the warm-up, the last the measured runs; microseconds.
    count, low, high, _ = counts[-1]
    return Times(
        runtime="LiteRT benchmark_model",
        median_ms=float(average[1]) / 1e3,
        low_ms=float(low) / 1e3,
        high_ms=float(high) / 1e3,
        runs=int(count),
        threads=threads,
    )


def _run_adb(command: Sequence[str], *, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PHONE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"{' '.join(command[:2])} took over {_PHONE_SECONDS:.0f} s", where="adb") from error
    said = f"{done.stdout}\n{done.stderr}"
    if done.returncode != 0 and not may_fail:
        missing = "benchmark_model" in said and ("not found" in said or "No such file" in said)
        fix = (
            f"push LiteRT's benchmark_model to {PHONE_FOLDER} and make it executable, or install the test of "
            "'edgeprune firmware --project android'"
            if missing
            else ""
        )
        raise DeviceError(
            f"{' '.join(command[:2])} failed",
            where="adb",
            why=said.strip()[-300:],
            fix=fix or "connect one phone with USB debugging on ('adb devices' lists it)",
        )
    return said


def _time_here(data: bytes, *, runs: int, threads: int) -> Times:
    timing = time_litert(data, runs=runs, threads=threads)
    return Times(
        runtime=timing.runtime,
        median_ms=timing.median_ms,
        low_ms=timing.low_ms,
        high_ms=timing.high_ms,
        runs=timing.runs,
        threads=timing.threads,
    )


def _make_record(
    request: BenchRequest, times: Times, *, data: bytes, profile: Profile, counts: dict[str, object]
) -> Record:
    return Record(
        file=Path(name_file(request.file)).name,
        sha256=sha256(data).hexdigest(),
        device=profile.id,
        on=request.place,
        runtime=times.runtime,
        latency_ms=times.median_ms,
        low_ms=times.low_ms,
        high_ms=times.high_ms,
        runs=times.runs,
        threads=times.threads,
        clock_mhz=request.clock_mhz or profile.clock_mhz,
        arena_bytes=times.arena_bytes,
        golden=times.golden,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **counts,  # type: ignore[arg-type]
    )
