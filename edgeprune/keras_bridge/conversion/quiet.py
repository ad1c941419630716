"""Keeping TensorFlow's C++ chatter off the terminal, and at hand for when something fails."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_stderr() -> Iterator[Callable[[], str]]:
    """While the block runs, file descriptor 2 goes to a file; yields a function that reads what it holds."""
    with tempfile.TemporaryFile() as log:

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
