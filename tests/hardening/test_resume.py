"""Whatever happened to a work directory, a resumed build ends as if nothing had."""

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from edgeprune.build.stages import CHECKSUMS, STATE
from edgeprune.build.workdir import MARKER, WorkDirectory
from edgeprune.errors import OutputError
from edgeprune.progress import Silent

STAGES = 5
SECOND, THIRD = "segment-002", "segment-003"


class Listening(Silent):
    """Progress whose warnings are kept."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def build(path: Path, *, resume: bool, stages: int = STAGES, key: str = "k") -> tuple[bytes, list[str]]:
    """What a build does with its work directory, in miniature: each stage is made from the one before it."""
    heard = Listening()
    work = WorkDirectory(path, key=key, resume=resume, progress=heard)
    model = key.encode()
    for number in range(1, stages + 1):
        name = f"segment-{number:03d}"
        if (found := work.load(name)) is not None:
            folder, state = found
            model = (folder / "model.keras").read_bytes() + bytes([state["number"]])
            continue
        model = sha256(model).digest() * 100
        with work.finish(name, {"number": number, "numbers": [0.1 * number]}) as folder:
            (folder / "model.keras").write_bytes(model)
            (folder / "more").mkdir()
            (folder / "more" / "optimizer").write_bytes(model[::-1])
        model += bytes([number])
    return model, heard.warnings


def on_file(change: Callable[[Path], object], *names: str) -> Callable[[Path], None]:
    return lambda work: [change(work / name) for name in names] and None


def write(content: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        remove(path)
        make(path)

    return change


def edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def do(file: Path) -> None:
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return do


def swap(work: Path) -> None:
    (work / SECOND).rename(work / "aside")
    (work / THIRD).rename(work / SECOND)
    (work / "aside").rename(work / THIRD)


def copy_over(work: Path) -> None:
    remove(work / THIRD)
    shutil.copytree(work / SECOND, work / THIRD)


def take_another_builds(work: Path) -> None:
    build(work.parent / "other", resume=False, key="other")
    remove(work / THIRD)
    (work.parent / "other" / THIRD).rename(work / THIRD)


MODEL, STATE_FILE, SUMS = f"{SECOND}/model.keras", f"{SECOND}/{STATE}", f"{SECOND}/{CHECKSUMS}"
DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit flipped in a model": on_file(flip, MODEL),
    "a bit flipped in a file of a folder": on_file(flip, f"{SECOND}/more/optimizer"),
    "a model cut": on_file(cut, MODEL),
    "a model longer": on_file(append, MODEL),
    "a model empty": on_file(write(b""), MODEL),
    "a model gone": on_file(remove, MODEL),
    "a model of zeros": on_file(write(bytes(3200)), MODEL),
    "a model that is a folder": on_file(replace_by(Path.mkdir), MODEL),
    "a model that is a pipe": on_file(replace_by(os.mkfifo), MODEL),
    "a model that is a link": on_file(replace_by(lambda p: p.symlink_to("/etc/hostname")), MODEL),
    "a model of the next stage": lambda work: shutil.copy(work / THIRD / "model.keras", work / MODEL),
    "a bit flipped in the first stage": on_file(flip, "segment-001/model.keras"),
    "a bit flipped in the last stage": on_file(flip, "segment-005/model.keras"),
    "a bit flipped in all stages": on_file(
        flip, *(f"segment-{n:03d}/model.keras" for n in range(1, STAGES + 1))
    ),
    "a state gone": on_file(remove, STATE_FILE),
    "a state empty": on_file(write(b""), STATE_FILE),
    "a state that is no JSON": on_file(write(b"{"), STATE_FILE),
    "a state that is no text": on_file(write(b"\xff\xfe\x00"), STATE_FILE),
    "a state that is a list": on_file(write(b"[]"), STATE_FILE),
    "a state nested deeply": on_file(write(b"[" * 100_000), STATE_FILE),
    "a state with another number": on_file(edit(lambda s: s.update(number=7)), STATE_FILE),
    "a state without a key": on_file(edit(lambda s: s.pop(next(iter(s)))), STATE_FILE),
    "a state that is a pipe": on_file(replace_by(os.mkfifo), STATE_FILE),
    "checksums gone": on_file(remove, SUMS),
    "checksums empty": on_file(write(b""), SUMS),
    "checksums that are a list": on_file(write(b"[1]"), SUMS),
    "checksums nested deeply": on_file(write(b'{"a":' * 100_000), SUMS),
    "checksums without files": on_file(edit(lambda s: s.update(files={})), SUMS),
    "checksums with another file's": on_file(
        edit(lambda s: s["files"].update({"model.keras": "0" * 64})), SUMS
    ),
    "checksums after another stage": on_file(edit(lambda s: s.update(after="k")), SUMS),
    "checksums that are a pipe": on_file(replace_by(os.mkfifo), SUMS),
    "a file more": on_file(write(b"1"), f"{SECOND}/extra"),
    "a stage gone": on_file(remove, SECOND),
    "the first stage gone": on_file(remove, "segment-001"),
    "a stage empty": on_file(replace_by(Path.mkdir), SECOND),
    "a stage that is a file": on_file(replace_by(Path.touch), SECOND),
    "a stage that is a pipe": on_file(replace_by(os.mkfifo), SECOND),
    "a stage that is a link": on_file(replace_by(lambda p: p.symlink_to(THIRD)), SECOND),
    "a stage that links to itself": on_file(replace_by(lambda p: p.symlink_to(SECOND)), SECOND),
    "two stages swapped": swap,
    "a stage over the next": copy_over,
    "a stage of another build": take_another_builds,
    "a marker empty": on_file(write(b""), MARKER),
    "a marker that is no JSON": on_file(write(b"\0\0"), MARKER),
    "a marker that is a list": on_file(write(b"[]"), MARKER),
    "a marker without a key": on_file(write(b"{}"), MARKER),
    "a marker whose key is a number": on_file(write(b'{"key": 1}'), MARKER),
}
HARMLESS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda work: None,
    "other times": lambda work: [os.utime(path, (0, 0)) for path in work.rglob("*")],
    "half a stage": lambda work: (work / ".segment-006").mkdir(),
    "the last stage gone": on_file(remove, "segment-005"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a build gives that nothing happened to."""
    return build(tmp_path_factory.mktemp("whole") / "work", resume=False)[0]


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_does_not_match_is_done_again_and_said(tmp_path: Path, whole: bytes, kind: str) -> None:
    work = tmp_path / "work"
    build(work, resume=False)
    DAMAGE[kind](work)
    model, warnings = build(work, resume=True)
    assert model == whole
    assert warnings
    assert all(str(work) in warning for warning in warnings)
    again, warnings = build(work, resume=True)
    assert (again, warnings) == (whole, [])


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_no_damage_is_gone_on_from_without_a_word(tmp_path: Path, whole: bytes, kind: str) -> None:
    work = tmp_path / "work"
    build(work, resume=False)
    HARMLESS[kind](work)
    inodes = {path: path.stat().st_ino for path in work.glob("segment-00[1-4]")}
    assert build(work, resume=True) == (whole, [])
    assert {path: path.stat().st_ino for path in work.glob("segment-00[1-4]")} == inodes


def test_only_the_damaged_stage_and_those_after_it_are_done_again(tmp_path: Path, whole: bytes) -> None:
    work = tmp_path / "work"
    build(work, resume=False)
    inodes = [path.stat().st_ino for path in sorted(work.glob("segment-*"))]
    flip(work / THIRD / "model.keras")
    _, warnings = build(work, resume=True)
    assert [path.stat().st_ino for path in sorted(work.glob("segment-*"))][:2] == inodes[:2]
    assert [str(path) in " ".join(warnings) for path in sorted(work.glob("segment-*"))] == [
        *(False, False),
        *(True, True, True),
    ]
    assert "its model.keras was changed" in warnings[0]


def test_another_builds_work_is_refused_and_left_alone(tmp_path: Path) -> None:
    work = tmp_path / "work"
    build(work, resume=False)
    before = sorted(work.rglob("*"))
    with pytest.raises(OutputError, match="was another one"):
        build(work, resume=True, key="other")
    assert sorted(work.rglob("*")) == before


@pytest.mark.parametrize("resume", [False, True])
def test_without_its_marker_it_is_nobodys_and_left_alone(tmp_path: Path, resume: bool) -> None:
    work = tmp_path / "work"
    build(work, resume=False)
    (work / MARKER).unlink()
    before = sorted(work.rglob("*"))
    with pytest.raises(OutputError, match="not edgeprune's"):
        build(work, resume=resume)
    assert sorted(work.rglob("*")) == before


def test_an_empty_folder_is_what_a_kill_may_leave_and_can_be_used(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(OutputError, match="nothing to resume"):
        build(tmp_path / "work", resume=True)
    assert build(tmp_path / "work", resume=False) == (whole, [])


def test_the_state_that_is_loaded_can_be_changed_without_harm(tmp_path: Path) -> None:
    work = WorkDirectory(tmp_path / "work", key="k", resume=False)
    with work.finish("one", {"numbers": [1]}):
        pass
    for _ in range(2):
        found = work.load("one")
        assert found is not None
        assert found[1] == {"numbers": [1]}
        found[1]["numbers"].append(2)
