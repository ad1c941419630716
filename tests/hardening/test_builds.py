"""Real builds: interrupted, killed and damaged, they end in the same bytes or say why not."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hardening.conftest import COMMAND, ROOT, Ended, read_tree, take_interrupts, tiny_build
from hardening.test_resume import DAMAGE

from edgeprune.build.workdir import BEST, MARKER, WorkDirectory, place_of_work
from edgeprune.cli.main import run
from edgeprune.runtimes.processes import count_cores

FEW = ("a state with another number", "a stage gone")
"""Of `DAMAGE`; the others are nightly."""


def build(tiny: Path, *more: object) -> int:
    return run(tiny_build(tiny, *more))


@pytest.fixture(scope="module")
def whole(tiny: Path) -> dict[str, bytes]:
    """The files of a build that nothing happened to."""
    assert build(tiny, "--output", tiny / "whole") == 0
    assert not place_of_work(tiny / "whole").exists()
    return read_tree(tiny / "whole")


def wait_for_stages(process: subprocess.Popen[str], work: Path, count: int) -> None:
    until = time.monotonic() + 120
    while len(list(work.glob("segment-*"))) < count:
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < until
        time.sleep(0.005)


def start(tiny: Path, output: Path, *more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *tiny_build(tiny, "--output", output, *more)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=take_interrupts,
        text=True,
    )


@pytest.fixture(scope="module")
def interrupted(tiny: Path) -> Ended:
    """A build that Ctrl-C ended after three stages; they are in the work directory of `interrupted`."""
    process = start(tiny, tiny / "interrupted")
    wait_for_stages(process, place_of_work(tiny / "interrupted"), 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    return Ended(process.returncode, "", said)


def verify(folder: Path, capfd, *more: str) -> tuple[int, dict[str, Any]]:
    capfd.readouterr()
    code = run(["verify", str(folder), "--json", *more])
    return code, json.loads(capfd.readouterr().out)


@pytest.mark.usefixtures("whole")
def test_a_build_can_be_verified_and_made_again(tiny: Path, capfd) -> None:
    code, document = verify(tiny / "whole", capfd, "--rebuild")
    assert code == 0, document["sentence"]
    assert document["sentence"].endswith("and the same request gives the same bytes here.")
    assert document["rebuilt"] == {"same": True, "differing": [], "failure": "", "data_differ": False}


@pytest.mark.nightly
def test_a_build_of_other_data_is_told_from_the_first(tiny: Path, whole, tmp_path, capfd) -> None:
    shutil.copyfile(tiny / "tiny.npz", tmp_path / "tiny.npz")
    assert build(tiny, "--data", tmp_path / "tiny.npz", "--output", tmp_path / "out") == 0
    with np.load(tmp_path / "tiny.npz") as arrays:
        changed = {**arrays, "x_train": arrays["x_train"][::-1]}
    np.savez(tmp_path / "tiny.npz", **changed)
    code, document = verify(tmp_path / "out", capfd, "--rebuild")
    assert code == 1
    assert document["matches"]
    assert document["rebuilt"]["data_differ"]
    assert "the data are others" in document["sentence"]


@pytest.mark.nightly
def test_the_best_of_a_build_that_meets_no_budget_is_verified_as_such(tiny: Path, tmp_path, capfd) -> None:
    with np.load(tiny / "tiny.npz") as arrays:
        rarer = int(np.bincount(arrays["y_test"]).argmin())
    (tmp_path / "own.py").write_text(
        "def train(model, epochs, callbacks):\n"
        "    *others, bias = model.get_weights()\n"
        f"    bias[{rarer}] = 1e4\n"
        "    model.set_weights([*others, bias])\n"
    )
    own = ("--train", f"{tmp_path / 'own.py'}:train", "--max-drop", 0.0)
    assert build(tiny, *own, "--output", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()
    best = place_of_work(tmp_path / "out") / BEST
    code, document = verify(best, capfd, "--rebuild", "--trust")
    assert code == 0, document["sentence"]
    assert document["fits"] is False
    assert "the best of a build that did not meet its budgets" in document["sentence"]
    assert document["sentence"].endswith("and the same request gives the same bytes here.")
    assert document["rebuilt"]["failure"]


@pytest.mark.nightly
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or count_cores() < 2, reason="one core alone")
def test_other_cores_are_named_where_they_change_the_bytes(tiny: Path, whole, tmp_path, capfd) -> None:
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        ended = subprocess.run(
            [*COMMAND, "verify", tiny / "whole", "--rebuild", "--json"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.sched_setaffinity(0, cores)
    assert f"cores: {len(cores)} then, 1 now" in ended.stderr
    document = json.loads(ended.stdout)
    assert ended.returncode == (0 if document["rebuilt"]["same"] else 1)


def test_ctrl_c_says_truly_what_is_kept(tiny: Path, interrupted: Ended) -> None:
    work = place_of_work(tiny / "interrupted")
    assert interrupted.code == 130, interrupted.err
    assert "Traceback" not in interrupted.err
    kept = len([path for path in work.iterdir() if path.name not in (MARKER,) and path.name[0] != "."])
    assert f"interrupted; {kept} finished stages are kept in {work}" in interrupted.err
    assert "--resume" in interrupted.err
    assert not (tiny / "interrupted").exists()
    assert [path.name for path in tiny.glob(".interrupted*")] == []


def test_ctrl_c_before_any_stage_says_that_nothing_is_kept(tiny: Path) -> None:
    process = start(tiny, tiny / "early")
    assert process.stderr is not None
    process.stderr.readline()  # that the original model is studied
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.endswith("error: interrupted; no stage was finished, so nothing is kept\n")
    assert list(tiny.glob("*early*")) == []


def test_a_ctrl_c_that_others_swallow_ends_the_build_all_the_same(tiny: Path, tmp_path) -> None:
    """An own training loop that ends early on it, or an extension that drops the error."""
    (tmp_path / "own.py").write_text(
        "import os, signal, time\n"
        "def train(model, epochs, callbacks):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(10)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
    )
    process = start(tiny, tmp_path / "out", "--train", f"{tmp_path / 'own.py'}:train")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "error: interrupted; " in said
    assert not (tmp_path / "out").exists()


def check_damage(tiny: Path, place: Path, whole: dict[str, bytes], capfd, kind: str) -> None:
    work = place_of_work(place / "out")
    shutil.copytree(place_of_work(tiny / "interrupted"), work)
    DAMAGE[kind](work)
    capfd.readouterr()
    code = build(tiny, "--output", place / "out", "--resume")
    said = capfd.readouterr().err
    assert code == 0, said
    assert "is done again" in said or "starts afresh" in said
    assert read_tree(place / "out") == whole
    assert [path.name for path in place.iterdir() if path.name != "other"] == ["out"]


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("kind", FEW)
def test_a_damaged_build_ends_in_the_same_bytes(tiny, tmp_path, whole, capfd, kind) -> None:
    check_damage(tiny, tmp_path, whole, capfd, kind)


def check_kill(tiny: Path, place: Path, whole: dict[str, bytes], *, stages: int, seconds: float) -> None:
    process = start(tiny, place / "out")
    try:
        wait_for_stages(process, place_of_work(place / "out"), stages)
        time.sleep(seconds)
    finally:
        process.kill()
        process.communicate()
    if not (place / "out").exists():
        is_begun = (place_of_work(place / "out") / MARKER).exists()
        assert build(tiny, "--output", place / "out", *(["--resume"] if is_begun else [])) == 0
    else:  # it was killed when all was done, or while it cleaned up
        assert build(tiny, "--output", place / "out", "--force") == 0
    assert read_tree(place / "out") == whole
    assert [path.name for path in place.iterdir()] == ["out"]


def test_a_killed_build_ends_in_the_same_bytes_and_leaves_nothing(tiny, tmp_path, whole) -> None:
    check_kill(tiny, tmp_path, whole, stages=2, seconds=0.0)


@pytest.fixture(scope="module")
def seconds_of_build(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a build takes here in a process of its own."""
    begun = time.monotonic()
    process = start(tiny, tmp_path_factory.mktemp("timed") / "out")
    _, said = process.communicate()
    assert process.returncode == 0, said
    return time.monotonic() - begun


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(30))
def test_so_does_one_that_is_killed_at_any_moment(tiny, tmp_path, whole, seconds_of_build, seed) -> None:
    moment = random.Random(seed).uniform(0.1, 1.05) * seconds_of_build
    check_kill(tiny, tmp_path, whole, stages=0, seconds=moment)


ONLY_IN_MINIATURE = (
    "a bit flipped in a file of a folder",  # there is no folder
    "a bit flipped in the last stage",  # there are three stages, not five
    "a bit flipped in all stages",
    "a stage of another build",
)


@pytest.mark.nightly
@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind not in (*FEW, *ONLY_IN_MINIATURE)])
def test_so_does_a_build_that_is_damaged_in_any_way(tiny, tmp_path, whole, capfd, kind) -> None:
    check_damage(tiny, tmp_path, whole, capfd, kind)


@pytest.mark.usefixtures("interrupted")
def test_a_build_afresh_takes_the_place_of_what_was_kept(tiny, tmp_path) -> None:
    work = place_of_work(tmp_path / "out")
    shutil.copytree(place_of_work(tiny / "interrupted"), work)
    WorkDirectory(work, key="another", resume=False)
    assert [path.name for path in work.iterdir()] == [MARKER]
