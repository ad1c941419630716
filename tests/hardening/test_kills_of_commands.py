"""Commands with one output, killed at any moment: it is whole or absent, and the next run ends alike."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hardening.conftest import COMMAND, ROOT, read_tree
from small_models import dense_int8

from edgeprune.cli.main import run

MARK = "EDGEPRUNE_TEST_OF_KILLS"
"""A variable by which all processes of one command are known."""

OUTPUTS = {"sparsify": "out.keras", "quantize": "out.tflite", "firmware": "out"}


def arguments(kind: str, tiny: Path, place: Path) -> list[str]:
    output = place / OUTPUTS[kind]
    data = ["--data", tiny / "tiny.npz"]
    lines: dict[str, list[object]] = {
        "sparsify": ["sparsify", tiny / "tiny.keras", *data, "--sparsity", 0.5, "--epochs", 2],
        "quantize": ["quantize", tiny / "tiny.keras", *data],
        "firmware": ["firmware", tiny / "dense.tflite", "--device", "cortex-m7", "--runtime", "c", "--build"],
    }
    return [str(argument) for argument in (*lines[kind], "--output", output)]


def read(output: Path) -> dict[str, bytes]:
    """An output's files, whether it is a file or a folder."""
    return read_tree(output) if output.is_dir() else {"": output.read_bytes()}


def find_processes(mark: str) -> list[int]:
    """Processes that carry the mark in their environment, but for those that have ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def seconds(tiny: Path) -> dict[str, float]:
    """How long each command takes here; what it writes is in a folder of its name."""
    (tiny / "dense.tflite").write_bytes(dense_int8())
    taken = {}
    for kind in OUTPUTS:
        (tiny / f"whole {kind}").mkdir()
        started = time.monotonic()
        subprocess.run(
            [*COMMAND, *arguments(kind, tiny, tiny / f"whole {kind}")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        taken[kind] = time.monotonic() - started
    return taken


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes cannot be told apart")
@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_output_is_whole_or_absent_and_nothing_is_left(tiny, tmp_path, seconds, kind, seed) -> None:
    if kind == "firmware" and not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("there is no compiler")
    (tmp_path / "temporary").mkdir()
    (tmp_path / "place").mkdir()
    line = arguments(kind, tiny, tmp_path / "place")
    output, whole = tmp_path / "place" / OUTPUTS[kind], read(tiny / f"whole {kind}" / OUTPUTS[kind])
    mark = f"{os.getpid()}-{kind}-{seed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), MARK: mark, "TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen(
        [*COMMAND, *line], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # Most of the time goes into imports and training; what is written is written at the end.
    moment = random.Random(seed).betavariate(2, 1) * seconds[kind] * 1.05
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if output.exists():
        assert read(output) == whole
    until = time.monotonic() + 30
    while (left := find_processes(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
    assert run([*line, *(["--force"] if output.exists() else [])]) == 0
    assert read(output) == whole
    assert [path.name for path in output.parent.iterdir()] == [OUTPUTS[kind]]
