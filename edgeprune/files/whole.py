"""Files and folders that appear whole or not at all, also where the power goes."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.files.leftovers import beside, remove
from edgeprune.files.places import claim_output
from edgeprune.files.writing import writing

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems answer that cannot: some of other machines, and of user programs."""


@contextmanager
def whole_directory(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends, and vanishes when it fails.

    Raises:
        OutputError: `path` may not be replaced, somebody else is writing it, or it cannot be written.
    """
    with claim_output(path, force=force, holds="folder"):
        temporary, replaced = beside(path, "new"), beside(path, "old")
        try:
            with writing(path):
                temporary.mkdir(parents=True)
                yield temporary
                sync_folder(temporary)
                if path.exists():
                    path.rename(replaced)
                temporary.rename(path)
                sync_entry(path.parent)
        finally:
            if replaced.exists() and not path.exists():  # interrupted between the two renames
                replaced.rename(path)
            remove(temporary)
            remove(replaced)


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary file name with the same ending that becomes `path` when the block ends.

    Raises:
        OutputError: `path` may not be replaced, somebody else is writing it, or it cannot be written.
    """
    with claim_output(path, force=force):
        temporary = beside(path, "new", suffix=path.suffix)
        try:
            with writing(path):
                yield temporary
                sync_entry(temporary)
                temporary.replace(path)
                sync_entry(path.parent)
        finally:
            remove(temporary)


def write_file(path: Path, content: bytes, *, force: bool) -> None:
    """Writes a whole file, or nothing.

    Raises:
        OutputError: `path` may not be replaced, somebody else is writing it, or it cannot be written.
    """
    with whole_file(path, force=force) as temporary:
        temporary.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Brings all files of a folder, and their names, onto the disk: a rename must not come before them."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_entry(Path(parent, name))
        sync_entry(Path(parent))


def sync_entry(path: Path) -> None:
    """Brings one file, or the names in one folder, onto the disk. Raises OSError where it takes no more."""
    if os.name != "posix" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
