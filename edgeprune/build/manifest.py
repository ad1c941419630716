"""`manifest.json` of an output directory: every file with its checksum, and what the files were made from.

    {
      "schema": 1,
      "edgeprune", "device", "model_sha256", "seed", "settings": what decided on the result,
      "sha256": over those five, as the file's own metadata say it,
      "request": what was asked, by the names of `BuildOptions`,
      "origins": who asked, of budgets that no flag said,
      "not_recorded": what was asked and is in no file,
      "data_sha256": of the samples,
      "fits": whether every budget was met; not so of the best model of a build that found none which fits,
      "made_on": the machine, see `machine.py`,
      "files": [{"path", "bytes", "sha256"}, …]
    }

The manifest does not list itself.
"""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any

from edgeprune.build.file_metadata import hash_origin
from edgeprune.build.stages import walk_files
from edgeprune.errors import InputError
from edgeprune.files import refuse_special

MANIFEST = "manifest.json"
_SCHEMA = 1
_ORIGIN = ("edgeprune", "device", "model_sha256", "seed", "settings")
_MOST_BYTES = 2**26


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedFile:
    """A file of an output directory.

    Attributes:
        bytes: its size.
        sha256: of what is in it.
    """

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a manifest says.

    Attributes:
        document: all of it.
        files: by their path below the directory.
    """

    document: Mapping[str, Any]
    files: Mapping[str, ListedFile]

    @property
    def is_intact(self) -> bool:
        """Whether its own checksum, over what decided on the result, is true."""
        origin = {name: self.document.get(name) for name in _ORIGIN}
        return self.document.get("sha256") == hash_origin(origin)

    @property
    def fits(self) -> bool | None:
        """Whether every budget was met; None where it is not said."""
        fits = self.document.get("fits")
        return fits if isinstance(fits, bool) else None

    @property
    def made_on(self) -> Mapping[str, Any]:
        """The machine; empty where it is not said."""
        made_on = self.document.get("made_on")
        return made_on if isinstance(made_on, Mapping) else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """Where a directory is not what its manifest says, by paths below it.

    Attributes:
        missing: listed, and not there.
        changed: path → why it is not the one that is listed.
        extra: there, and not listed.
    """

    missing: tuple[str, ...]
    changed: Mapping[str, str]
    extra: tuple[str, ...]


def write_manifest(folder: Path, origin: Mapping[str, Any]) -> None:
    """Writes the manifest of everything that is in a folder.

    Args:
        folder: all other files are there.
        origin: what stands in the manifest beside the files.
    """
    files = [
        {"path": path, "bytes": file.bytes, "sha256": file.sha256}
        for path, file in sorted(_list_files(folder).items())
        if file is not None
    ]
    document = json.dumps({"schema": _SCHEMA, **origin, "files": files}, indent=2) + "\n"
    (folder / MANIFEST).write_text(document, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an output directory.

    Raises:
        InputError: the folder is not there, or no build's; or its manifest is damaged, or of another schema.
    """
    path = folder / MANIFEST
    refuse_special(path, InputError)
    if not path.is_file():
        what = "has no manifest.json" if folder.is_dir() else "is no directory"
        raise InputError(what, where=str(folder), fix="give the output directory of 'edgeprune build'")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _damaged(path, f"it is {path.stat().st_size} bytes long")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError("cannot be read", where=str(path), why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(document, dict) or "edgeprune" not in document:
        raise InputError(
            "was not written by edgeprune",
            where=str(path),
            fix="give the output directory of 'edgeprune build'",
        )
    if document.get("schema") != _SCHEMA:
        raise InputError(
            f"is of schema {document.get('schema')}, which this edgeprune does not know",
            where=str(path),
            fix=f"use edgeprune {document['edgeprune']}, which wrote it",
        )
    files = document.get("files")
    if not isinstance(files, list):
        raise _damaged(path, "it lists no files")
    return Manifest(document=document, files=dict(_read_file(entry, where=path) for entry in files))


def compare_files(folder: Path, manifest: Manifest) -> Mismatch:
    """Where the files of a directory are not those of its manifest.

    Links are not followed, and pipes and devices not opened: what is no file is not the one that is listed.

    Raises:
        InputError: something cannot be read.
    """
    try:
        found = _list_files(folder)
    except OSError as error:
        raise InputError(
            "cannot be read", where=str(error.filename or folder), why=error.strerror or str(error)
        ) from error
    found.pop(MANIFEST, None)
    changed = {
        path: _say_change(found[path], listed)
        for path, listed in manifest.files.items()
        if path in found and found[path] != listed
    }
    if not manifest.is_intact:
        changed = {MANIFEST: "its own checksum is wrong", **changed}
    return Mismatch(
        missing=tuple(sorted(manifest.files.keys() - found.keys())),
        changed=changed,
        extra=tuple(sorted(found.keys() - manifest.files.keys())),
    )


def _say_change(found: ListedFile | None, listed: ListedFile) -> str:
    if found is None:
        return "it is no file"
    if found.bytes != listed.bytes:
        return f"it has {found.bytes} bytes, not {listed.bytes}"
    return "its checksum differs"


def _list_files(folder: Path) -> dict[str, ListedFile | None]:
    """All that is in a folder but folders, by path; None for what is no regular file."""
    return {path.relative_to(folder).as_posix(): _look_at(path) for path in walk_files(folder)}


def _look_at(path: Path) -> ListedFile | None:
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    with path.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
        return ListedFile(bytes=stream.tell(), sha256=digest)


def _read_file(entry: Any, *, where: Path) -> tuple[str, ListedFile]:
    match entry:
        case {"path": str(path), "bytes": int(size), "sha256": str(digest)}:
            parts = PurePosixPath(path).parts
            if parts and parts[0] != "/" and ".." not in parts and "\0" not in path:
                return path, ListedFile(bytes=size, sha256=digest)
            raise _damaged(where, f"it lists {path!r}, which is no path below it")
    raise _damaged(where, "an entry of its files has no path, bytes and sha256")


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        "the manifest is damaged", where=str(path), why=why, fix="copy the whole directory again"
    )
