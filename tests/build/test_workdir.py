import errno
import resource
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeprune.build.workdir import WorkDirectory
from edgeprune.errors import OutputError
from edgeprune.files import hash_bytes, whole_directory, whole_file, writing

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_in(block: AbstractContextManager[Path], error: type[BaseException]) -> None:
    """Writes something in a block that then fails."""
    with block as place:
        (place / "half" if place.is_dir() else place).write_text("half")
        raise error


def test_a_directory_appears_when_the_block_ends(tmp_path: Path) -> None:
    with whole_directory(tmp_path / "out", force=False) as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "1"
    assert names(tmp_path) == ["out"]


def test_a_directory_whose_block_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_in(whole_directory(tmp_path / "out", force=False), KeyError)
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing_either(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail_in(whole_directory(tmp_path / "out", force=False), KeyboardInterrupt)
    assert names(tmp_path) == []


def test_an_existing_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="--force"), whole_directory(tmp_path / "out", force=False):
        pytest.fail("the block must not run")


def make_output(path: Path) -> None:
    """A folder that edgeprune might have written."""
    path.mkdir()
    (path / "old").write_text("old")
    (path / "edgeprune.json").write_text('{"edgeprune": "0.1.0"}')


def test_force_replaces_all_of_it(tmp_path: Path) -> None:
    make_output(tmp_path / "out")
    with whole_directory(tmp_path / "out", force=True) as folder:
        (folder / "new").write_text("new")
        assert names(tmp_path / "out") == ["edgeprune.json", "old"]
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_force_that_fails_keeps_what_was_there(tmp_path: Path) -> None:
    make_output(tmp_path / "out")
    with pytest.raises(KeyError):
        fail_in(whole_directory(tmp_path / "out", force=True), KeyError)
    assert names(tmp_path / "out") == ["edgeprune.json", "old"]
    assert names(tmp_path) == ["out"]


def test_force_replaces_a_file_in_the_directorys_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with whole_directory(tmp_path / "out", force=True) as folder:
        (folder / "new").write_text("new")
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_a_file_appears_when_the_block_ends_and_not_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model.keras"
    with whole_file(target, force=False) as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("1")
        assert not target.exists()
    with pytest.raises(KeyError):
        fail_in(whole_file(target, force=True), KeyError)
    assert target.read_text() == "1"
    assert names(tmp_path / "deep") == ["model.keras"]
    with pytest.raises(OutputError, match="exists"), whole_file(target, force=False):
        pytest.fail("the block must not run")


def test_a_failed_write_names_the_place_and_the_cause(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left") as caught, writing(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.where == str(tmp_path / "out")
    assert caught.value.exit_code == 3


FILL = """
import resource, signal, sys
from pathlib import Path
from edgeprune.errors import OutputError
from edgeprune.files import whole_directory
from edgeprune.build.workdir import WorkDirectory

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
place = Path(sys.argv[1])
work = WorkDirectory(place / "work", key="k", resume=False)
for block in (whole_directory(place / "out", force=False), work.finish("stage", {})):
    try:
        with block as folder:
            (folder / "small").write_bytes(bytes(10))
            (folder / "large").write_bytes(bytes(100_000))
    except OutputError as error:
        print(error.message)
"""


def test_a_disk_that_takes_no_more_leaves_no_half_output(tmp_path: Path) -> None:
    """The limit on the size of a file stands in for a full disk: the write fails in the same way."""
    run = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.count("cannot be written (File too large)") == 2
    assert names(tmp_path) == ["work"]
    assert WorkDirectory(tmp_path / "work", key="k", resume=True).load("stage") is None
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OutputError), whole_directory(tmp_path / "file" / "out", force=False):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError), whole_file(tmp_path / "file" / "out", force=False):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError):
        WorkDirectory(tmp_path / "file" / "work", key="k", resume=False)


def test_a_finished_stage_is_found_again(tmp_path: Path) -> None:
    work = WorkDirectory(tmp_path / "work", key="k", resume=False)
    assert work.load("one") is None
    with work.finish("one", {"step": 3}) as folder:
        (folder / "a").write_text("1")
        assert work.load("one") is None
    again = WorkDirectory(tmp_path / "work", key="k", resume=True)
    found = again.load("one")
    assert found is not None
    folder, state = found
    assert state == {"step": 3}
    assert (folder / "a").read_text() == "1"


def test_a_stage_that_failed_is_not_there_and_can_be_done_again(tmp_path: Path) -> None:
    work = WorkDirectory(tmp_path / "work", key="k", resume=False)
    with pytest.raises(KeyError):
        fail_in(work.finish("one", {}), KeyError)
    assert work.load("one") is None
    with work.finish("one", {}) as folder:
        assert names(folder) == []
    assert work.load("one") is not None


def test_without_resume_what_was_there_goes(tmp_path: Path) -> None:
    with WorkDirectory(tmp_path / "work", key="k", resume=False).finish("one", {}):
        pass
    assert WorkDirectory(tmp_path / "work", key="k", resume=False).load("one") is None


def test_another_builds_stages_are_not_resumed(tmp_path: Path) -> None:
    WorkDirectory(tmp_path / "work", key="k", resume=False)
    with pytest.raises(OutputError, match="another one"):
        WorkDirectory(tmp_path / "work", key="other", resume=True)


def test_nothing_to_resume_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing to resume"):
        WorkDirectory(tmp_path / "work", key="k", resume=True)


def test_a_removed_work_directory_is_gone(tmp_path: Path) -> None:
    work = WorkDirectory(tmp_path / "work", key="k", resume=False)
    work.remove()
    assert names(tmp_path) == []


def test_hashes_tell_parts_apart() -> None:
    assert hash_bytes(b"ab", b"c") != hash_bytes(b"a", b"bc")
    assert hash_bytes(b"a") == hash_bytes(b"a")
    assert len(hash_bytes()) == 64


def make_old_output(path: Path, *, is_file: bool) -> None:
    if is_file:
        path.write_text("old")
    else:
        make_output(path)


@pytest.mark.parametrize("is_file", [False, True])
def test_an_output_whose_successor_vanishes_before_it_takes_the_place_is_put_back(
    tmp_path: Path, is_file: bool
) -> None:
    """By then the old output has been moved aside, and the second rename is what fails."""
    out = tmp_path / "out"
    make_old_output(out, is_file=is_file)
    with pytest.raises(OutputError, match="cannot be written"), whole_directory(out, force=True) as folder:
        folder.rmdir()
    assert (out if is_file else out / "old").read_text() == "old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("is_file", [False, True])
def test_an_interrupt_between_the_two_renames_puts_the_old_output_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    out = tmp_path / "out"
    make_old_output(out, is_file=is_file)
    rename = Path.rename

    def rename_unless_it_is_the_new_one(path: Path, target: Path) -> Path:
        if path.name.endswith("-new"):
            assert not out.exists()
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_unless_it_is_the_new_one)
    with pytest.raises(KeyboardInterrupt), whole_directory(out, force=True) as folder:
        (folder / "new").write_text("new")
    assert (out if is_file else out / "old").read_text() == "old"
    assert names(tmp_path) == ["out"]
