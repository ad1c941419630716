"""Keeping TensorFlow's C++ chatter off the terminal, and at hand for when something fails."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


def _open_log() -> BinaryIO:
    """A file that nobody sees, in memory where that can be: LLVM ends the process when a disk is full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("edgeprune-log"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def quiet_stderr() -> Iterator[Callable[[], str]]:
    """While the block runs, file descriptor 2 goes to a file; yields a function that reads what it holds."""
    with _open_log() as log:

        def said() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError):  # there is no stderr
            yield said
            return
        try:
            os.dup2(log.fileno(), 2)
            yield said
        finally:
            with suppress(OSError):
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
