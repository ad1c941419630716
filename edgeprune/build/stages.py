"""Finished stages of a build on the disk, each proven by checksums over its files and what came before it.

    segment-002/
      state.json, model.keras, …   what the stage left
      checksums.json               {"stage", "after", "files": {path: SHA-256}, "digest"}

`digest` is the SHA-256 of the other three, and `after` the digest of the stage before; of the first, the
build's key. So a stage can only be used with the very stages that it was made from.
"""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

STATE, CHECKSUMS = "state.json", "checksums.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """What `checksums.json` of a stage says.

    Attributes:
        stage: the stage's name.
        after: digest of the stage before.
        files: path in the stage's folder → SHA-256 of the file.
    """

    stage: str
    after: str
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        content = {"stage": self.stage, "after": self.after, "files": self.files}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"stage": self.stage, "after": self.after, "files": self.files, "digest": self.digest}


class DamageError(Exception):
    """What is wrong with a stage, as a clause; never leaves the room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """The stages that may be used, and why others may not.

    Attributes:
        states: stage → its state, in their order.
        digest: of the last one; the key where there is none.
        refused: folder → why it is of no use.
    """

    states: dict[str, dict[str, Any]]
    digest: str
    refused: dict[str, str]


def seal_stage(folder: Path, *, stage: str, after: str) -> Seal:
    """Writes the checksums of a stage's folder, whose files are all there, and gives them back."""
    seal = Seal(stage=stage, after=after, files=_hash_files(folder))
    (folder / CHECKSUMS).write_text(json.dumps(seal.to_json(), indent=1), encoding="utf-8")
    return seal


def read_chain(folders: list[Path], *, key: str) -> Chain:
    """The stages in these folders that lead on from the key, each proven, up to the first damaged one."""
    refused, seals = {}, {}
    for folder in folders:
        try:
            seal = _read_seal(folder)
        except DamageError as damage:
            refused[folder.name] = str(damage)
        else:
            seals[seal.after] = (folder, seal)
    states, digest = {}, key
    while (found := seals.pop(digest, None)) is not None:
        folder, seal = found
        try:
            states[seal.stage] = _read_state(folder, seal)
        except DamageError as damage:
            refused[folder.name] = str(damage)
            break
        digest = seal.digest
    used = {*states, *refused}
    refused |= {
        f.name: "the stage it was made from is no longer there" for f in folders if f.name not in used
    }
    return Chain(states=states, digest=digest, refused=refused)


def _read_seal(folder: Path) -> Seal:
    content = _read_json(folder, CHECKSUMS)
    stage, after, files = content.get("stage"), content.get("after"), content.get("files")
    if not isinstance(after, str) or not isinstance(files, dict) or stage != folder.name:
        raise DamageError(f"its {CHECKSUMS} is of another stage, or damaged")
    seal = Seal(stage=folder.name, after=after, files=files)
    if content.get("digest") != seal.digest:
        raise DamageError(f"its {CHECKSUMS} was changed")
    return seal


def _read_state(folder: Path, seal: Seal) -> dict[str, Any]:
    try:
        found = _hash_files(folder)
    except OSError as error:
        raise DamageError(f"it cannot be read: {error.strerror or error}") from error
    found.pop(CHECKSUMS, None)
    for name in sorted({*found, *seal.files}):
        if name not in found:
            raise DamageError(f"its {name} is missing")
        if name not in seal.files:
            raise DamageError(f"it holds {name}, which is no part of it")
        if found[name] != seal.files[name]:
            raise DamageError(f"its {name} was changed")
    return _read_json(folder, STATE)


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    try:
        if not stat.S_ISREG(file.lstat().st_mode):  # of a pipe, reading would not end
            raise DamageError(f"its {name} is no file")
        content = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise DamageError(f"its {name} is missing") from error
    except OSError as error:
        raise DamageError(f"its {name} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DamageError(f"its {name} is damaged") from error
    if not isinstance(content, dict):
        raise DamageError(f"its {name} is damaged")
    return content


def _hash_files(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): _hash_file(file) for file in sorted(walk_files(folder))}


def walk_files(folder: Path) -> Iterator[Path]:
    """All that is in a folder but folders; links are not followed."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            yield from walk_files(entry)
        else:
            yield entry


def _hash_file(file: Path) -> str:
    """SHA-256 of a regular file; for anything else what no hash is."""
    if not stat.S_ISREG(file.lstat().st_mode):
        return "no file"
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
