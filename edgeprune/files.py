"""Files as edgeprune writes and reads them: whole or not at all, and with an error that names the path."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeprune.errors import ModelError, OutputError

FileSource = str | Path | bytes
"""A file by its path, or what is in it."""

IN_MEMORY = "a file in memory"
"""What messages and documents call a file that is given by its bytes."""


def name_file(source: FileSource) -> str:
    """The file's path as it was given, or what stands for bytes."""
    return IN_MEMORY if isinstance(source, bytes) else str(source)


def read_file(source: FileSource) -> bytes:
    """The bytes of a model file. Raises ModelError where they cannot be had."""
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            "the file cannot be read", where=str(path), why=error.strerror or str(error), fix="check the path"
        ) from error


@contextmanager
def whole_directory(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends, and vanishes when it fails.

    Raises:
        OutputError: `path` exists and `force` is not set, or it cannot be written.
    """
    refuse_existing(path, force=force)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        with writing(path):
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists():
                path.rename(replaced)
            temporary.rename(path)
    finally:
        if replaced.exists() and not path.exists():  # interrupted between the two renames
            replaced.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        if replaced.is_dir():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.exists():
            replaced.unlink()


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary file name with the same ending that becomes `path` when the block ends.

    Raises:
        OutputError: `path` exists and `force` is not set, or it cannot be written.
    """
    refuse_existing(path, force=force)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        if temporary.exists():
            temporary.unlink()


def write_file(path: Path, content: bytes, *, force: bool) -> None:
    """Writes a whole file, or nothing.

    Raises:
        OutputError: `path` exists and `force` is not set, or it cannot be written.
    """
    with whole_file(path, force=force) as temporary:
        temporary.write_bytes(content)


def refuse_existing(path: Path | None, *, force: bool) -> None:
    """Raises OutputError if the path exists and may not be replaced; None is nothing to be written."""
    if path is not None and path.exists() and not force:
        raise OutputError("the output exists", where=str(path), fix="pass --force to replace it")


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


def hash_bytes(*parts: bytes) -> str:
    """SHA-256 over all parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
