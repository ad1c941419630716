"""Killed at any moment: outputs are whole or absent, nothing is left for ever, nobody waits for the dead."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hardening.conftest import ROOT
from hardening.test_resume import build

from edgeprune.build.workdir import MARKER, WorkDirectory
from edgeprune.errors import OutputError
from edgeprune.files import claim_output, whole_directory, whole_file, write_file

SIZE = 300_000
WRITER = f"""
import sys
from pathlib import Path
from edgeprune.files import whole_directory, write_file
place, number = Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    number += 1
    write_file(place / "file.bin", bytes([number % 256]) * {SIZE}, force=True)
    with whole_directory(place / "folder", force=True) as folder:
        (folder / "edgeprune.json").write_text('{{"edgeprune": "0.1.0"}}')
        (folder / "sub").mkdir()
        for name in ("a", "sub/b"):
            (folder / name).write_bytes(bytes([number % 256]) * {SIZE})
"""
BUILDER = """
import sys
from pathlib import Path
from hardening.test_resume import build
print("ready", flush=True)
while True:
    build(Path(sys.argv[1]), resume=False)
"""
HOLDER = """
import sys, time
from pathlib import Path
from edgeprune.files import claim_output
with claim_output(Path(sys.argv[1]), force=True, holds=sys.argv[2]):
    print("ready", flush=True)
    time.sleep(600)
"""


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The program, from when it says that it is ready; it is killed with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def kill_at_random(program: str, *arguments: object, seed: int) -> None:
    with running(program, *arguments) as process:
        time.sleep(random.Random(seed).uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)


def check_kill(place: Path, seed: int) -> None:
    kill_at_random(WRITER, place, seed=seed)
    file, folder = place / "file.bin", place / "folder"
    if file.exists():
        content = file.read_bytes()
        assert content == content[:1] * SIZE
    if folder.exists():
        a, b = (folder / "a").read_bytes(), (folder / "sub" / "b").read_bytes()
        assert a == b == a[:1] * SIZE
    write_file(file, b"new", force=True)
    with whole_directory(folder, force=True) as made:
        (made / "edgeprune.json").write_text('{"edgeprune": "0.1.0"}')
    assert sorted(path.name for path in place.iterdir()) == ["file.bin", "folder"]
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("seed", range(20))
def test_outputs_are_whole_after_a_kill_and_the_next_run_cleans_up(tmp_path: Path, seed: int) -> None:
    check_kill(tmp_path, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 300))
def test_outputs_are_whole_after_many_kills(tmp_path: Path, seed: int) -> None:
    check_kill(tmp_path, seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_build_that_was_killed_is_resumed_or_begun_anew(tmp_path: Path, seed: int) -> None:
    """Also between the moments at which its work directory is made, emptied and filled."""
    whole, _ = build(tmp_path / "whole", resume=False)
    kill_at_random(BUILDER, tmp_path / "work", seed=seed)
    is_begun = (tmp_path / "work" / MARKER).exists()
    if not is_begun:
        with pytest.raises(OutputError, match="nothing to resume"):
            build(tmp_path / "work", resume=True)
    assert build(tmp_path / "work", resume=is_begun)[0] == whole
    WorkDirectory(tmp_path / "work", key="k", resume=True).remove()
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_second_writer_is_told_who_the_first_is(place, edgeprune) -> None:
    with running(HOLDER, place / "out.tflite", "file") as holder:
        ended = edgeprune("strip", "model.tflite", "--output", "out.tflite", "--force")
        assert ended.code == 3
        assert f"process {holder.pid} on {os.uname().nodename}, since 20" in ended.err
        assert "another --output" in ended.err
    assert edgeprune("strip", "model.tflite", "--output", "out.tflite").code == 0
    assert sorted(path.name for path in place.iterdir()) == ["model.tflite", "out.tflite"]


def test_a_second_build_is_told_before_it_reads_anything(place, edgeprune) -> None:
    with running(HOLDER, place / "proj", "folder") as holder:
        ended = edgeprune("build", "--device", "cortex-m7", "--output", "proj")
        assert ended.code == 3
        assert f"process {holder.pid} on" in ended.err
    assert sorted(path.name for path in place.iterdir()) == [".proj.edgeprune-lock", "model.tflite"]
    with whole_directory(place / "proj", force=False):
        pass
    assert sorted(path.name for path in place.iterdir()) == ["model.tflite", "proj"]


def test_other_outputs_are_not_held_up(place, edgeprune) -> None:
    with running(HOLDER, place / "out.tflite", "file"):
        assert edgeprune("strip", "model.tflite", "--output", "other.tflite").code == 0


def test_a_lock_within_a_lock_of_the_same_thread_is_no_second_writer(tmp_path: Path) -> None:
    with claim_output(tmp_path / "out", force=False):
        write_file(tmp_path / "out", b"1", force=False)
        assert (tmp_path / ".out.edgeprune-lock").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_moved_aside_by_one_that_died_comes_back(tmp_path: Path) -> None:
    """A kill between the two renames of an output that is replaced."""
    with whole_directory(tmp_path / "out", force=False) as folder:
        (folder / "edgeprune.json").write_text('{"edgeprune": "0.1.0"}')
    (tmp_path / "out").rename(tmp_path / ".out.edgeprune-old")
    (tmp_path / ".out.edgeprune-new").mkdir()
    with pytest.raises(OutputError, match="--force"), whole_directory(tmp_path / "out", force=False):
        pytest.fail("the block must not run")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_contents_are_on_the_disk_before_their_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync = os.fsync

    def record_sync(descriptor: int) -> None:
        calls.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        sync(descriptor)

    def recording(real):
        def record(path, target):
            calls.append(f"rename to {Path(target).name}")
            return real(path, target)

        return record

    monkeypatch.setattr(os, "fsync", record_sync)
    for name in ("rename", "replace"):
        monkeypatch.setattr(Path, name, recording(getattr(Path, name)))
    with whole_file(tmp_path / "file", force=False) as temporary:
        temporary.write_text("1")
    with whole_directory(tmp_path / "folder", force=False) as folder:
        (folder / "a").write_text("1")
    work = WorkDirectory(tmp_path / "work", key="k", resume=False)
    calls_of_work = len(calls)
    with work.finish("one", {}) as folder:
        (folder / "model").write_text("1")
    assert calls[: calls.index("rename to folder") + 2] == [
        *("sync .file.edgeprune-new", "rename to file", f"sync {tmp_path.name}"),
        *("sync a", "sync .folder.edgeprune-new", "rename to folder", f"sync {tmp_path.name}"),
    ]
    *synced, renamed, last = calls[calls_of_work:]
    assert sorted(synced) == ["sync .one", "sync checksums.json", "sync model", "sync state.json"]
    assert (renamed, last) == ("rename to one", "sync work")
