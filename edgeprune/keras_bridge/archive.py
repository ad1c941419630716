"""What is inside a saved model, read without Keras: proof that the file is whole, sane and holds no code.

Nothing here imports Keras or builds an object from the file: bytes are compared, members are listed, JSON is
parsed. Only a file that passes is shown to Keras (`load.py`).
"""

import io
import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from edgeprune.errors import ModelError

ZIP_MAGIC = b"PK\x03\x04"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
CONFIG_MEMBER = "config.json"
WEIGHTS_MEMBER = "model.weights.h5"

# Keras stores members uncompressed; a recompressed file of real weights stays far below this. A file of
# zeros may exceed the ratio, so small ones are let through.
MAX_EXPANSION = 100
HARMLESS_BYTES = 256 * 2**20

READ_FAILURES = (OSError, EOFError, LookupError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile)
"""What zipfile and h5py raise for a damaged file."""

CODE_CLASSES = {
    "Lambda": "a Lambda layer",
    "__lambda__": "a Python function as bytecode",
    "TFSMLayer": "a TFSMLayer, which runs a SavedModel",
    "TorchModuleWrapper": "a pickled PyTorch module",
    "JaxLayer": "a JaxLayer, which runs a JAX function",
    "FlaxLayer": "a FlaxLayer, which runs a Flax module",
}
"""Keras classes that run code which a file brings along, and what to call them."""

KERAS_MODULES = ("keras", "builtins")
"""Where the classes and functions of an ordinary model come from; `builtins` is how Keras files functions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """A model file that may be shown to Keras.

    Attributes:
        form: "keras" for a `.keras` archive, "h5" for HDF5.
        config: the model's config; of a `.keras` file the whole `config.json`, without `compile_config`.
        compiled: how the model was compiled (`compile_config` or `training_config`), or None.
    """

    form: Literal["keras", "h5"]
    config: dict[str, Any]
    compiled: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedObject:
    """One serialized object of a config: its class, its module, and the named object it stands in."""

    class_name: str
    module: str | None
    registered_name: str | None
    owner: str


def read_model_file(path: Path, *, trust: bool = False) -> ModelFile:
    """What the file at `path` holds.

    Args:
        path: a `.keras`, `.h5` or `.hdf5` file.
        trust: let classes from outside Keras through, for Keras to look up among those that the running
            program registered. Code inside the file is refused all the same.

    Raises:
        ModelError: the file is missing, not what its name says, damaged, dangerous, or holds code.
    """
    form = _recognise(path)
    try:
        saved = _read_archive(path) if form == "keras" else _read_hdf5(path)
    except READ_FAILURES as error:
        raise _damaged(path, str(error)) from error
    _refuse_code({"model": saved.config, "compiled": saved.compiled}, where=str(path))
    if not trust:
        _refuse_foreign_classes(saved.config, where=str(path))
    return saved


def find_foreign_object(config: Any) -> NamedObject | None:
    """The first object of a config whose class or function lies outside Keras, or None."""
    return next((item for item in _walk(config) if _is_foreign(item)), None)


def _recognise(path: Path) -> Literal["keras", "h5"]:
    where = str(path)
    if not path.exists():
        raise ModelError("no such file", where=where, fix="give the path of a .keras or .h5 file")
    if path.is_dir():
        raise ModelError(
            "is a directory, not a model file",
            where=where,
            fix="open it in the Keras that wrote it and save it with model.save('model.keras')",
        )
    suffix = path.suffix.lower()
    if suffix not in (".keras", ".h5", ".hdf5"):
        raise ModelError(
            f"'{suffix or path.name}' is not a kind of model file edgeprune opens",
            where=where,
            fix="give a .keras or .h5 file",
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
    with zipfile.ZipFile(path) as archive:
        _check_members(archive.infolist(), where=where)
        if (member := archive.testzip()) is not None:
            raise _damaged(path, f"the checksum of its member '{member}' is wrong")
        config = _parse(archive.read(CONFIG_MEMBER), where=where, what=CONFIG_MEMBER)
        weights = archive.read(WEIGHTS_MEMBER)
    if not weights.startswith(HDF5_MAGIC):
        raise _damaged(path, f"its member '{WEIGHTS_MEMBER}' is not an HDF5 file")
    with h5py.File(io.BytesIO(weights), "r") as file:
        _check_datasets(file, where=where, stored_bytes=len(weights))
    compiled = config.pop("compile_config", None)
    return ModelFile(form="keras", config=config, compiled=compiled if isinstance(compiled, dict) else None)


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
        if _is_bomb(stored_bytes=member.compress_size, expanded_bytes=member.file_size):
            raise _dangerous(where, f"its member {name!r} would expand to {member.file_size} bytes")
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
        if text is None or "model_weights" not in file:
            raise ModelError(
                "holds weights without a model" if text is None else "holds a model without weights",
                where=where,
                fix="save the whole model with model.save('model.keras'), not its weights alone",
            )
    config = _parse(text, where=where, what="model_config")
    compiled = _parse(training, where=where, what="training_config") if training is not None else None
    return ModelFile(form="h5", config=config, compiled=compiled)


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


def _walk(config: Any) -> Iterator[NamedObject]:
    """Every object with a `class_name`, in file order, however deep it is nested."""
    pending = [(config, "")]
    while pending:
        value, owner = pending.pop()
        if isinstance(value, dict):
            inner = value.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                owner = inner["name"]
            if "class_name" in value:
                yield NamedObject(
                    class_name=str(value["class_name"]),
                    module=value.get("module"),
                    registered_name=value.get("registered_name"),
                    owner=owner,
                )
            pending.extend((item, owner) for item in reversed(list(value.values())))
        elif isinstance(value, list):
            pending.extend((item, owner) for item in reversed(value))


def _refuse_code(config: Any, *, where: str) -> None:
    for item in _walk(config):
        if item.class_name in CODE_CLASSES:
            named = f" named '{item.owner}'" if item.owner else ""
            raise ModelError(
                f"holds {CODE_CLASSES[item.class_name]}{named}",
                where=where,
                why="code inside a model file is never run",
                fix="replace it by built-in layers or keras.ops, in the model or its loss, and save again",
            )


def _is_foreign(item: NamedObject) -> bool:
    if item.module is not None:
        return str(item.module).split(".")[0] not in KERAS_MODULES
    package, separator, _ = str(item.registered_name or "").partition(">")
    return bool(separator) and package.lower() != "keras"


def _refuse_foreign_classes(config: dict[str, Any], *, where: str) -> None:
    item = find_foreign_object(config)
    if item is None:
        return
    if item.class_name == config.get("class_name") and item.module == config.get("module"):
        raise ModelError(
            f"the model is of a class of its own, '{item.class_name}'",
            where=where,
            why="the layers of a subclassed model cannot be known without its Python code",
            fix="build it as keras.Model(inputs, outputs) from Keras layers and save that",
        )
    raise ModelError(
        f"layer '{item.owner}' needs '{item.class_name}', which is no part of Keras",
        where=where,
        why=f"its Python code is in the module '{item.module or item.registered_name}'",
        fix="build that part from Keras layers and save again",
    )


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(
        "the file is truncated or damaged", where=str(path), why=why, fix="save or copy the model again"
    )


def _dangerous(where: str, why: str) -> ModelError:
    return ModelError("refused as unsafe", where=where, why=why, fix="get the model from a source you trust")
