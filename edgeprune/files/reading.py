"""Files that a user names, read with an error that says what is the matter with them."""

import hashlib
import stat
from pathlib import Path

from edgeprune.errors import InputError, ModelError

FileSource = str | Path | bytes
"""A file by its path, or what is in it."""

IN_MEMORY = "a file in memory"
"""What messages and documents call a file that is given by its bytes."""

_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def name_file(source: FileSource) -> str:
    """The file's path as it was given, or what stands for bytes."""
    return IN_MEMORY if isinstance(source, bytes) else str(source)


def read_file(source: FileSource) -> bytes:
    """The bytes of a model file. Raises ModelError where they cannot be had."""
    if isinstance(source, bytes):
        return source
    path = Path(source)
    refuse_special(path, ModelError)
    try:
        return path.read_bytes()
    except OSError as error:
        within = path / "model.tflite"
        raise ModelError(
            "the file cannot be read",
            where=str(path),
            why=error.strerror or str(error),
            fix=f"give {within}" if within.is_file() else "check the path",
        ) from error


def refuse_special(path: Path, kind: type[InputError]) -> None:
    """Refuse what no file can be, or what reading would wait for: a pipe, say. What is not there may pass.

    Args:
        path: where somebody said that a file or folder is.
        kind: the error to raise: what the file is for.

    Raises:
        InputError: of that kind.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise kind(
            "is no path", where=show_path(path), why=say_no_path(path), fix="check the name"
        ) from error
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return
        raise kind(
            "cannot be opened", where=str(path), why=error.strerror or str(error), fix="check the path"
        ) from error
    found = name_special(mode)
    if found:
        raise kind(
            f"is {found}, not a file", where=str(path), fix="save what comes out of it in a file first"
        )


def name_special(mode: int) -> str:
    """What a file of this mode is, if it is neither a file nor a folder nor a link; else ""."""
    return next((name for test, name in _SPECIAL if test(mode)), "")


def show_path(path: Path | str) -> str:
    """The path for a message: what no text or no path can hold is escaped."""
    return str(path).replace("\0", "\\0").encode(errors="backslashreplace").decode()


def say_no_path(path: Path | str) -> str:
    """Why no file can have that path, as a clause."""
    return "there is a NUL in it" if "\0" in str(path) else "it cannot be written in UTF-8"


def hash_bytes(*parts: bytes) -> str:
    """SHA-256 over all parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
