"""Standard streams that may be closed, full or without a reader: no reason for a command to fail.

What a command writes to stderr is progress and errors; that nobody can read them does not spoil its work. Of
stdout, which has the answer, `main` says when there is no room for it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from typing import Any, TextIO


@contextmanager
def usable_streams() -> Iterator[None]:
    """While the block lasts, all three streams are open, and a failed write to stderr is no error."""
    _open_descriptors()
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:  # as Python has it where the descriptor was closed when it began
            setattr(sys, name, _open_stream(descriptor))
    with redirect_stderr(Forgiving(sys.stderr)):
        yield


def _open_descriptors() -> None:
    """Closed ones read and write nothing. Else the next file that is opened would take their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _open_stream(descriptor: int) -> TextIO:
    if descriptor == 0:
        return open(descriptor, encoding="utf-8", closefd=False)
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def discard(descriptor: int) -> None:
    """Let whatever is still written there, as by the interpreter's last flush, go nowhere."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


class Forgiving:
    """A text stream that loses what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`, as long as that works."""
        self._stream = stream

    def write(self, text: str) -> int:
        """The number of characters."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a ValueError is that of a stream that was closed
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """As far as that works."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._give_up()

    def _give_up(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            discard(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
