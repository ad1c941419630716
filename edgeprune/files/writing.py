"""A failed write as an error that names the output."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: OSError) -> bool:
    """Whether a write failed because there was no room; numpy says that without a number."""
    words = str(error)
    return error.errno in _FULL or (error.errno is None and " requested and " in words and "written" in words)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a failed write (disk full, no permission) into an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno is None and not is_full(error):
            raise
        raise OutputError(
            "cannot be written",
            where=str(path),
            why=error.strerror or str(error),
            fix="free some space, or choose a place that can be written to",
        ) from error
