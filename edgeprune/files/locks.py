"""One writer per output: a lock that the system gives back when its holder dies."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edgeprune.errors import OutputError
from edgeprune.files.leftovers import beside
from edgeprune.files.writing import writing

_LOCKED_BYTE = 1 << 30
"""On Windows, where a locked byte cannot be read: one behind all that is written."""

_HELD: dict[str, int] = {}
"""Locks of this process → the thread that has them."""


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """While the block lasts, no other process writes this output; within it, the same thread may again.

    Raises:
        OutputError: somebody else is writing it, or no lock can be put beside it.
    """
    key = os.path.abspath(output)
    if _HELD.get(key) == threading.get_ident():
        yield
        return
    if key in _HELD:
        raise _taken(output, why="another thread of this process")
    made = _make_parents(output)
    lock = beside(output, "lock")
    descriptor = _acquire(lock, output)
    _HELD[key] = threading.get_ident()
    try:
        yield
    finally:
        del _HELD[key]
        _release(descriptor, lock)
        for folder in made:  # where nothing came of it, nothing stays
            with suppress(OSError):
                folder.rmdir()


def _make_parents(output: Path) -> list[Path]:
    """The folders that were made for the output to stand in, innermost first."""
    missing = [folder for folder in output.absolute().parents if not folder.exists()]
    with writing(output):
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
    return missing


def _acquire(lock: Path, output: Path) -> int:
    """The descriptor of the locked file."""
    while True:
        with writing(output):
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            if not _try_lock(descriptor):
                raise _taken(output, why=_describe_holder(descriptor))
            # Its last holder may have deleted the file after it was opened here.
            if os.name != "posix" or _is_still(lock, descriptor):
                _write_holder(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _release(descriptor: int, lock: Path) -> None:
    if os.name == "posix":
        lock.unlink(missing_ok=True)  # before it is unlocked: afterwards it may be another's
        os.close(descriptor)
    else:
        os.close(descriptor)
        with suppress(OSError):
            lock.unlink()


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(lock), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _try_lock(descriptor: int) -> bool:
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:

    def _try_lock(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # A file system without locks: to refuse all work there would be worse than two at a time.
            return True
        return True


def _write_holder(descriptor: int) -> None:
    """Who has it, for the message of whoever comes next. Without room for it, nobody is told."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(" ", "seconds"),
    }
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(holder).encode())


def _describe_holder(descriptor: int) -> str:
    """For example "process 12 on desk, since 2026-05-01 12:00:00+02:00"."""
    try:
        holder = json.loads(os.read(descriptor, 4096))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "it does not say which process it is"


def _taken(output: Path, *, why: str) -> OutputError:
    return OutputError(
        "another edgeprune is writing this output",
        where=str(output),
        why=why,
        fix="wait until it has ended, or choose another --output",
    )
