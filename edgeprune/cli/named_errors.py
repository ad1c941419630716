"""Errors of Python and its libraries that are no bugs of ours, as what they mean for the user.

What is named here comes from the machine (memory, room, limits) or from what the user gave (paths, code);
whatever is not named is a bug.
"""

import errno
import os
from pathlib import Path

from edgeprune.errors import (
    EdgepruneError,
    InputError,
    OutputError,
    ToolError,
    ToolFailedError,
    ToolMissingError,
)
from edgeprune.files.reading import show_path
from edgeprune.files.writing import is_full

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EIO, errno.ENXIO)
_NO_MORE = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)
_MORE_MEMORY = (
    "close other programs, use smaller batches, or a machine with more; where it is limited (ulimit -v), "
    "allow more"
)
_UNSAID = ("without setting an exception", "error return without exception set")
"""What CPython says where an error could not even be made."""
_NO_MEMORY_NAMES = ("ResourceExhaustedError",)
"""Of TensorFlow, which is not imported here; it means a full disk as well."""


def name_error(error: BaseException) -> EdgepruneError | None:
    """The same as an error of ours; None for a bug."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, SystemExit):
        return ToolFailedError(
            "code that edgeprune called ended the process",
            why=f"sys.exit({error.code!r})",
            fix="take sys.exit out of your own functions, or report it where you have none",
        )
    if type(error).__name__ in _NO_MEMORY_NAMES and os.strerror(errno.ENOSPC) in text:
        return OutputError(
            os.strerror(errno.ENOSPC), why=text, fix="free some space, there or for temporary files"
        )
    # Python had no room left even for its MemoryError.
    is_unsaid = isinstance(error, SystemError) and any(words in text for words in _UNSAID)
    if isinstance(error, MemoryError) or is_unsaid or type(error).__name__ in _NO_MEMORY_NAMES:
        return ToolFailedError("out of memory", why=text, fix=_MORE_MEMORY)
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return ToolFailedError("the system starts no more threads", why=text, fix=_MORE_MEMORY)
    if isinstance(error, ImportError):
        return _name_import(error, text)
    if isinstance(error, OSError):
        return _name_os_error(error)
    if isinstance(error, ValueError) and "embedded null" in text:
        return InputError("a path has a NUL in it", fix="check the names that were given")
    if isinstance(error, UnicodeEncodeError) and "surrogates" in text:
        return InputError(
            "a name cannot be written in UTF-8", why=text, fix="check the names that were given"
        )
    return None


def _name_import(error: ImportError, text: str) -> ToolError:
    fix = "'edgeprune doctor' says what is missing; where memory is limited (ulimit -v), allow more"
    if isinstance(error, ModuleNotFoundError):
        return ToolMissingError(f"the package '{error.name}' is not installed", why=text, fix=fix)
    return ToolFailedError("a package cannot be loaded", where=error.name or "", why=text, fix=fix)


def _name_os_error(error: OSError) -> EdgepruneError | None:
    where = show_path(str(error.filename)) if error.filename is not None else ""
    why = error.strerror or str(error)
    if isinstance(error, BrokenPipeError | ConnectionError):
        return ToolFailedError("a process of edgeprune's own has ended", why=why, fix="try again")
    if error.errno in _NO_ROOM or is_full(error):
        return OutputError(
            why, where=where, fix="free some space or permit the access, or choose another --output"
        )
    if error.errno in _NO_MORE:
        return ToolFailedError(
            "the system has no more for this process", where=where, why=why, fix=_MORE_MEMORY
        )
    if error.errno in _NO_PATH:
        return InputError("cannot be used", where=where, why=why, fix="check the path")
    if error.errno == errno.ENOENT and not _has_folder():
        return InputError("the current folder no longer exists", fix="change to another")
    return None


def _has_folder() -> bool:
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False
