"""The one way the library says how far it is; only `cli` decides what that looks like."""

from typing import Protocol


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
