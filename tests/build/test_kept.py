"""What Ctrl-C says is kept: the note of the KeyboardInterrupt, or of what a library made of it."""

from pathlib import Path

import pytest

from edgeprune.build.kept import telling_what_is_kept
from edgeprune.build.workdir import BEST, WorkDirectory, place_of_work
from edgeprune.cli.interrupts import list_notes


def finish(work: WorkDirectory, *stages: str) -> None:
    for stage in stages:
        with work.finish(stage, {}):
            pass


def interrupt(output: Path, *, is_resumed: bool = False, after=lambda: None) -> str:
    """What is said of a build that is interrupted when it has done something."""

    def build() -> None:
        with telling_what_is_kept(output, is_resumed=is_resumed):
            after()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        build()
    (note,) = caught.value.__notes__
    return note


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "proj"


def start(output: Path, *, resume: bool = False) -> WorkDirectory:
    return WorkDirectory(place_of_work(output), key="k", resume=resume)


def test_stages_of_this_build_are_counted(output: Path) -> None:
    said = interrupt(output, after=lambda: finish(start(output), "one", "two"))
    assert said.startswith(f"2 finished stages are kept in {place_of_work(output)}")
    assert "--resume" in said


def test_so_they_are_where_a_library_made_another_error_of_it(output: Path) -> None:
    def build() -> None:
        with telling_what_is_kept(output, is_resumed=False):
            finish(start(output), "one")
            raise RuntimeError("a callback failed: KeyboardInterrupt")

    with pytest.raises(RuntimeError) as caught:
        build()
    (note,) = list_notes(caught.value)
    assert note.startswith(f"1 finished stage is kept in {place_of_work(output)}")


def test_without_any_nothing_is_kept(output: Path) -> None:
    assert interrupt(output) == "no stage was finished, so nothing is kept"
    assert interrupt(output, after=lambda: start(output)) == "no stage was finished, so nothing is kept"


def test_stages_of_an_earlier_build_are_not_called_this_ones(output: Path) -> None:
    finish(start(output), "one")
    said = interrupt(output)
    assert (
        said == f"this build finished no stage; those of an earlier one are still in {place_of_work(output)}"
    )


def test_stages_of_an_earlier_build_are_gone_once_another_began(output: Path) -> None:
    finish(start(output), "one")
    assert interrupt(output, after=lambda: start(output)) == "no stage was finished, so nothing is kept"


def test_those_of_a_build_that_is_resumed_are_its_own_from_the_start(output: Path) -> None:
    finish(start(output), "one")
    assert interrupt(output, is_resumed=True).startswith("1 finished stage is kept")


def test_a_best_model_is_all_that_is_kept_where_nothing_else_is(output: Path) -> None:
    said = interrupt(output, after=lambda: (start(output).path / BEST).mkdir())
    assert said == f"nothing is kept but the best model found, in {place_of_work(output) / BEST}"


def test_an_output_that_is_there_is_said_to_be_whole(output: Path) -> None:
    assert interrupt(output, after=output.mkdir) == f"{output} is whole"
    assert interrupt(output) == "no stage was finished, so nothing is kept"
