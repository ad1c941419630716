"""What an interrupted build truly leaves behind, for whoever interrupted it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.build.stages import STATE
from edgeprune.build.workdir import BEST, list_stages, place_of_work


@contextmanager
def telling_what_is_kept(output: Path, *, is_resumed: bool) -> Iterator[None]:
    """Adds to an error, as a note (PEP 678), what is kept of the build and how to go on.

    To any error: where Ctrl-C comes while TensorFlow calls Python, it passes on another one.

    Args:
        output: what the build writes.
        is_resumed: whether it was resumed: what it found is then its own, also before it got so far.
    """
    before, old = _finished(output), _inode(output)
    try:
        yield
    except BaseException as error:
        is_written = _inode(output) not in (None, old)
        error.add_note(
            f"{output} is whole" if is_written else _describe(output, before=before, is_resumed=is_resumed)
        )
        raise


def _finished(output: Path) -> set[tuple[str, int]]:
    """Name and inode of each finished stage, which tell one from its successor of the same name."""
    stages = (stage for stage in list_stages(place_of_work(output)) if (stage / STATE).is_file())
    return {(stage.name, stage.stat().st_ino) for stage in stages}


def _inode(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _describe(output: Path, *, before: set[tuple[str, int]], is_resumed: bool) -> str:
    now, place = _finished(output), place_of_work(output)
    if now and (is_resumed or now != before):
        stages = "1 finished stage is" if len(now) == 1 else f"{len(now)} finished stages are"
        return f"{stages} kept in {place}: the same command with --resume goes on after that"
    if now:
        return f"this build finished no stage; those of an earlier one are still in {place}"
    if (place / BEST).exists():
        return f"nothing is kept but the best model found, in {place / BEST}"
    return "no stage was finished, so nothing is kept"
