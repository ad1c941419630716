"""How far the library is, and what it has finished: two small interfaces that others fill.

Only `cli` decides what progress looks like, and only `build` where finished stages are kept.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol


class Progress(Protocol):
    """Something that can be told about stages, steps and notes."""

    def stage(self, name: str, *, total: int = 0) -> None:
        """A stage begins. `total` is its number of steps, 0 if unknown."""

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Some steps of the current stage are done; `detail` says what is happening now."""

    def note(self, text: str) -> None:
        """Something a person should read, one sentence."""

    def warn(self, text: str) -> None:
        """Something a person should not overlook, one sentence."""


class Silent:
    """Progress that nobody watches."""

    def stage(self, name: str, *, total: int = 0) -> None:
        """Nothing."""

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


class Within(Silent):
    """Progress of something that is one stage of something larger: only its steps and warnings are told."""

    def __init__(self, outer: Progress) -> None:
        """Pass them on to `outer`, whose stage it is."""
        self._outer = outer

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Some steps are done."""
        self._outer.advance(steps, detail=detail)

    def warn(self, text: str) -> None:
        """Something not to be overlooked."""
        self._outer.warn(text)


class Checkpoints(Protocol):
    """Finished stages of something long, so that it can be interrupted and go on."""

    def load(self, stage: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder and state of a finished stage, or None."""

    def finish(self, stage: str, state: dict[str, Any]) -> AbstractContextManager[Path]:
        """A folder to put the stage's files in; the stage is finished when the block ends."""


class Forgetful:
    """Checkpoints of something short: nothing is kept."""

    def load(self, stage: str) -> tuple[Path, dict[str, Any]] | None:
        """None."""
        return None

    @contextmanager
    def finish(self, stage: str, state: dict[str, Any]) -> Iterator[Path]:
        """A folder that is gone when the block ends."""
        with TemporaryDirectory(prefix="edgeprune-") as folder:
            yield Path(folder)
