"""Where an output may go: what must not be replaced, and one writer at a time.

nothing there, in a folder                 written
a regular file                             replaced with --force
a folder that an edgeprune wrote           replaced with --force by a folder; recognised by its record
an empty folder                            likewise
any other folder, a link, a pipe, a device refused, with or without --force
., .., /                                   refused: they are no names
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from edgeprune.errors import OutputError
from edgeprune.files.leftovers import sweep
from edgeprune.files.locks import locked
from edgeprune.files.reading import name_special, say_no_path, show_path

Holds = Literal["file", "folder"]

RECORDS = ("manifest.json", "edgeprune.json")
"""Files of which every folder that edgeprune writes has one; each is an object with a key `edgeprune`."""

_ANOTHER = "choose another name for the output"


@contextmanager
def claim_output(path: Path, *, force: bool, holds: Holds = "file") -> Iterator[None]:
    """While the block lasts, this process alone writes that output; what dead ones left of it is gone.

    Raises:
        OutputError: as `refuse_existing`; or another process is writing it.
    """
    refuse_existing(path, force=force, holds=holds)
    with locked(path):
        sweep(path)  # which may put back what a dead process had moved aside
        refuse_existing(path, force=force, holds=holds)
        yield


def refuse_existing(path: Path | None, *, force: bool, holds: Holds = "file") -> None:
    """Refuse a place that an output would destroy something in; None is nothing to be written.

    Args:
        path: the output.
        force: whether it may be replaced, where it is an output or a file.
        holds: what the output is.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be.
    """
    if path is None:
        return
    mode = _look(path)
    if mode is None:
        return
    where = str(path)
    if stat.S_ISLNK(mode):
        raise OutputError(
            "is a link, which an output does not replace",
            where=where,
            why=f"it leads to {os.readlink(path)}, which would not be written",
            fix="give the path that it leads to, or remove the link",
        )
    special = name_special(mode)
    if special:
        raise OutputError(f"is {special}, which an output does not replace", where=where, fix=_ANOTHER)
    if stat.S_ISDIR(mode):
        _refuse_folder(path, holds=holds)
    if not force:
        raise OutputError("the output exists", where=where, fix="pass --force to replace it")


def refuse_ending(path: Path | None, ending: str) -> None:
    """Raises OutputError for a file whose name does not end in `ending`; None is nothing to be written."""
    if path is not None and path.suffix != ending:
        raise OutputError(
            f"does not end in {ending}",
            where=show_path(path) or ".",
            why="Keras knows by the name how a model is saved",
            fix=f"give a name that ends in {ending}",
        )


def _look(path: Path) -> int | None:
    """The mode of what is there, a link not followed; None for nothing. Raises OutputError."""
    if path.name in ("", ".."):
        raise OutputError(
            "is no name for an output", where=show_path(path) or ".", why="it is a folder that is in use",
            fix="name a file or folder in it",
        )  # fmt: skip
    try:
        return path.lstat().st_mode
    except ValueError as error:
        raise OutputError("is no path", where=show_path(path), why=say_no_path(path), fix=_ANOTHER) from error
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(
            "cannot be written", where=str(path), why=error.strerror or str(error), fix=_ANOTHER
        ) from error


def _refuse_folder(path: Path, *, holds: Holds) -> None:
    if holds == "file":
        raise OutputError("is a folder; the output is a file", where=str(path), fix="name a file in it")
    if not is_ours(path):
        raise OutputError(
            "is a folder that edgeprune did not write, so it is not replaced",
            where=str(path),
            why=f"it has no {' or '.join(RECORDS)} of an edgeprune",
            fix=f"{_ANOTHER}, or remove the folder yourself",
        )


def is_ours(folder: Path) -> bool:
    """Whether edgeprune wrote the folder, or there is nothing in it."""
    try:
        return any(_is_record(folder / name) for name in RECORDS) or not any(folder.iterdir())
    except OSError:  # cannot be listed
        return False


def _is_record(file: Path) -> bool:
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return False
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "edgeprune" in content
