"""A failed write as an error that names the output."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import OutputError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a failed write (disk full, no permission) into an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OutputError(
            "cannot be written",
            where=str(path),
            why=error.strerror or str(error),
            fix="free some space, or choose a place that can be written to",
        ) from error
