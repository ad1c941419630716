"""What is inside a saved model, read without Keras: proof that the file is whole, sane and holds no code.

Nothing here imports Keras or builds an object from the file: bytes are compared, members are listed, JSON is
parsed. Only a file that passes is shown to Keras (`load.py`).
"""

import io
import json
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from edgeprune.errors import ModelError
from edgeprune.files import refuse_many_members, refuse_special
from edgeprune.keras_bridge.loading.saved_model import read_metadata

ZIP_MAGIC = b"PK\x03\x04"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
CONFIG_MEMBER = "config.json"
WEIGHTS_MEMBER = "model.weights.h5"
METADATA_MEMBER = "metadata.json"
SAVED_MODEL_MEMBER = "saved_model.pb"

Form = Literal["keras", "h5", "json", "saved_model"]

# Keras stores members uncompressed; a recompressed file of real weights stays far below this. A file of
# zeros may exceed the ratio, so small ones are let through.
MAX_EXPANSION = 10
HARMLESS_BYTES = 128 * 2**20

MOST_NESTED = 250
"""Levels of a config; a model in a model in a model has about four each."""

READ_FAILURES = (OSError, EOFError, LookupError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile)
"""What zipfile and h5py raise for a damaged file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """A model file that may be shown to Keras.

    Attributes:
        form: "keras" for a `.keras` archive, "h5" for HDF5, "json" for a config without weights,
            "saved_model" for the directory of that name.
        config: the model's config; of a `.keras` file the whole `config.json`, without `compile_config`.
        compiled: how the model was compiled (`compile_config` or `training_config`), or None.
        keras: version of the Keras that wrote it, "" where it does not say.
    """

    form: Form
    config: dict[str, Any]
    compiled: dict[str, Any] | None
    keras: str


def read_model_file(path: Path) -> ModelFile:
    """What the file or directory at `path` holds.

    Raises:
        ModelError: it is missing, not what its name says, damaged or dangerous.
    """
    form = _recognise(path)
    try:
        found = _READERS[form](path)
    except READ_FAILURES as error:
        raise damaged(path, str(error)) from error
    if _count_levels([found.config, found.compiled]) > MOST_NESTED:
        raise _dangerous(str(path), f"its config is nested more than {MOST_NESTED} levels deep")
    return found


def check_weights_file(path: Path) -> None:
    """Raises ModelError for a file of weights that is missing, damaged or dangerous."""
    if not path.is_file():
        raise ModelError("no such file", where=str(path), fix="give the path of the weights' .h5 file")
    try:
        with h5py.File(path, "r") as file:
            _check_datasets(file, where=str(path), stored_bytes=path.stat().st_size)
    except READ_FAILURES as error:
        raise damaged(path, str(error)) from error


def find_weights(path: Path, *, given: Path | None) -> Path:
    """The file of weights that belongs to a `.json` config; checked as `check_weights_file` does.

    Raises:
        ModelError: there is none, or it is not clear which one.
    """
    if given is None:
        beside = sorted(p for p in path.parent.iterdir() if p.suffix.lower() in (".h5", ".hdf5"))
        alike = [p for p in beside if p.name.startswith(path.stem.removesuffix(".config"))]
        found = alike if len(alike) == 1 else [p for p in alike if p.stem == path.stem] or alike or beside
        if len(found) != 1:
            names = ", ".join(p.name for p in found[:5]) or "none"
            raise ModelError(
                "describes a model, but where are its weights?",
                where=str(path),
                why=f"files of weights beside it: {names}",
                fix="name the file with --weights",
            )
        given = found[0]
    check_weights_file(given)
    return given


def read_weights_member(path: Path) -> bytes:
    """The HDF5 file inside a `.keras` archive that `read_model_file` has let through."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(WEIGHTS_MEMBER)


def replace_config(path: Path, config: dict[str, Any], *, form: Form) -> None:
    """Writes another config into a copy of a `.keras` or HDF5 file."""
    if form == "h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[CONFIG_MEMBER] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _recognise(path: Path) -> Form:
    where = str(path)
    refuse_special(path, ModelError)
    if not path.exists():
        raise ModelError("no such file", where=where, fix="give the path of a .keras or .h5 file")
    if path.is_dir():
        if (path / SAVED_MODEL_MEMBER).is_file():
            return "saved_model"
        raise ModelError(
            "is a directory, not a model file",
            where=where,
            why=f"it holds no {SAVED_MODEL_MEMBER}",
            fix="give a .keras or .h5 file, or the directory of a SavedModel",
        )
    suffix = path.suffix.lower()
    if suffix == ".json":
        return "json"
    if suffix not in (".keras", ".h5", ".hdf5"):
        raise ModelError(
            f"'{suffix or path.name}' is not a kind of model file edgeprune opens",
            where=where,
            fix="give a .keras or .h5 file, a .json file with weights beside it, or a SavedModel directory",
        )
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelError("cannot be read", where=where, why=why, fix="check its permissions") from error
    if not head:
        raise ModelError("the file is empty", where=where, fix="save or copy the model again")
    is_zip, is_hdf5 = head.startswith(ZIP_MAGIC), head == HDF5_MAGIC
    if suffix == ".keras" and is_hdf5:
        raise ModelError("is an HDF5 file under a .keras name", where=where, fix="rename it to .h5")
    if suffix != ".keras" and is_zip:
        raise ModelError(f"is a .keras archive under a {suffix} name", where=where, fix="rename it to .keras")
    if not (is_zip or is_hdf5):
        kind = "a Keras archive" if suffix == ".keras" else "an HDF5 file"
        raise ModelError(
            f"is not {kind}",
            where=where,
            why=f"it starts with {head!r}",
            fix="save the model with model.save('model.keras')",
        )
    return "keras" if is_zip else "h5"


def _read_archive(path: Path) -> ModelFile:
    where = str(path)
    refuse_many_members(path, ModelError)
    with zipfile.ZipFile(path) as archive:
        _check_members(archive.infolist(), where=where)
        if (member := archive.testzip()) is not None:
            raise damaged(path, f"the checksum of its member '{member}' is wrong")
        config = _parse(archive.read(CONFIG_MEMBER), where=where, what=CONFIG_MEMBER)
        weights = archive.read(WEIGHTS_MEMBER)
        told = METADATA_MEMBER in archive.namelist()
        metadata = _parse(archive.read(METADATA_MEMBER), where=where, what=METADATA_MEMBER) if told else {}
    if not weights.startswith(HDF5_MAGIC):
        raise damaged(path, f"its member '{WEIGHTS_MEMBER}' is not an HDF5 file")
    with h5py.File(io.BytesIO(weights), "r") as file:
        _check_datasets(file, where=where, stored_bytes=len(weights))
    compiled = config.pop("compile_config", None)
    return ModelFile(
        form="keras",
        config=config,
        compiled=compiled if isinstance(compiled, dict) else None,
        keras=str(metadata.get("keras_version", "")),
    )


def _check_members(members: list[zipfile.ZipInfo], *, where: str) -> None:
    names = [member.filename for member in members]
    for member in members:
        name = member.filename
        parts = name.replace("\\", "/").split("/")
        escapes = parts[0] == "" or parts[0].endswith(":") or ".." in parts
        # The upper half of external_attr is the Unix mode of the member.
        if escapes or stat.S_ISLNK(member.external_attr >> 16):
            raise _dangerous(where, f"its member {name!r} points outside the archive")
        if member.flag_bits & 1:
            raise ModelError(f"its member {name!r} is encrypted", where=where, fix="save the model again")
    stored_bytes = sum(member.compress_size for member in members)
    expanded_bytes = sum(member.file_size for member in members)
    if _is_bomb(stored_bytes=stored_bytes, expanded_bytes=expanded_bytes):
        raise _dangerous(where, f"its members would expand to {expanded_bytes} bytes")
    if len(set(names)) != len(names):
        raise _dangerous(where, "two of its members have one name")
    missing = [name for name in (CONFIG_MEMBER, WEIGHTS_MEMBER) if name not in names]
    if missing:
        raise ModelError(
            f"the archive has no {' and no '.join(missing)}",
            where=where,
            why=f"it holds {', '.join(sorted(names)[:5]) or 'nothing'}",
            fix="save the whole model with model.save('model.keras')",
        )


def _read_hdf5(path: Path) -> ModelFile:
    where = str(path)
    with h5py.File(path, "r") as file:
        _check_datasets(file, where=where, stored_bytes=path.stat().st_size)
        text = file.attrs.get("model_config")
        training = file.attrs.get("training_config")
        version = file.attrs.get("keras_version", "")
        if text is None or "model_weights" not in file:
            raise ModelError(
                "holds weights without a model" if text is None else "holds a model without weights",
                where=where,
                fix="save the whole model with model.save('model.keras'), or give the .json of its config",
            )
    config = _parse(text, where=where, what="model_config")
    compiled = _parse(training, where=where, what="training_config") if training is not None else None
    keras = version.decode() if isinstance(version, bytes) else str(version)
    return ModelFile(form="h5", config=config, compiled=compiled, keras=keras)


def _read_json(path: Path) -> ModelFile:
    where = str(path)
    if path.stat().st_size > HARMLESS_BYTES:
        raise _dangerous(where, f"it is {path.stat().st_size} bytes long")
    config = _parse(path.read_bytes(), where=where, what="text")
    if "class_name" not in config:
        raise ModelError(
            "does not describe a model", where=where, fix="write it with model.to_json(), weights beside it"
        )
    return ModelFile(form="json", config=config, compiled=None, keras=str(config.get("keras_version", "")))


def _read_saved_model(path: Path) -> ModelFile:
    metadata = read_metadata(path)
    training = metadata.get("training_config")
    config = {"class_name": metadata.get("class_name"), "config": metadata.get("config")}
    compiled = training if isinstance(training, dict) else None
    return ModelFile(form="saved_model", config=config, compiled=compiled, keras="2")


_READERS: dict[Form, Callable[[Path], ModelFile]] = {
    "keras": _read_archive,
    "h5": _read_hdf5,
    "json": _read_json,
    "saved_model": _read_saved_model,
}


def _check_datasets(file: h5py.File, *, where: str, stored_bytes: int) -> None:
    """Refuse links and datasets that lead out of the file, and sizes that cannot be real."""
    expanded_bytes = 0
    # Not `visititems`: h5py crashes when a damaged name or an exception passes through its visitor.
    pending, seen = [file["/"]], set()
    while pending:
        group = pending.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _dangerous(where, f"its HDF5 entry '{name}' is a link")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise _dangerous(where, f"its HDF5 dataset '{name}' lies in another file")
                expanded_bytes += item.nbytes
            elif isinstance(item, h5py.Group) and item not in seen:  # hard links may form a circle
                seen.add(item)
                pending.append(item)
    if _is_bomb(stored_bytes=stored_bytes, expanded_bytes=expanded_bytes):
        raise _dangerous(where, f"its weights would expand to {expanded_bytes} bytes")


def _is_bomb(*, stored_bytes: int, expanded_bytes: int) -> bool:
    return expanded_bytes > HARMLESS_BYTES and expanded_bytes > MAX_EXPANSION * stored_bytes


def _parse(text: str | bytes, *, where: str, what: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ModelError(
            f"its {what} is not JSON", where=where, why=why, fix="save the model again"
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("config", {}), dict | list):
        raise ModelError(f"its {what} does not describe a model", where=where, fix="save the model again")
    return config


def _count_levels(value: Any) -> int:
    levels, inside = 0, [value]
    while inside:
        levels += 1
        inside = [
            part
            for outer in inside
            if isinstance(outer, dict | list)
            for part in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return levels


def damaged(path: Path, why: str) -> ModelError:
    """The error of a file that is not whole."""
    return ModelError(
        "the file is truncated or damaged", where=str(path), why=why, fix="save or copy the model again"
    )


def _dangerous(where: str, why: str) -> ModelError:
    return ModelError("refused as unsafe", where=where, why=why, fix="get the model from a source you trust")
