"""Files without a name that hold what is too large for memory; they vanish with the process."""

import shutil
import tempfile
from typing import IO

from edgeprune.errors import DataError


def open_temporary(size_bytes: int, *, where: str) -> IO[bytes]:
    """A file to write `size_bytes` to and to map.

    Raises:
        DataError: there is no space for it on the disk.
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size_bytes > free:
        needed_gib, free_gib = (size / 2**30 for size in (size_bytes, free))
        raise DataError(
            "the data do not fit on the disk when they are unpacked",
            where=where,
            why=f"they take {needed_gib:.3g} GiB, and {free_gib:.3g} GiB are free for temporary files",
            fix="free some space, or set TMPDIR to a folder with more",
        )
    return tempfile.TemporaryFile()
