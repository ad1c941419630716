"""Saving Keras models so that the same model gives the same bytes, and opening what was saved."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from edgeprune.files import refuse_ending, whole_file
from edgeprune.keras_bridge.loading.archive import read_model_file
from edgeprune.keras_bridge.loading.named_objects import CODE_CLASSES, Names, refuse_code, refuse_names

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SHARED = "shared_object_id"


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a `.keras` file without what differs from one time to the next.

    That is the time of writing, which Keras puts into it in two places, and addresses in memory.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    metadata.pop("date_saved", None)
    members["metadata.json"] = json.dumps(metadata).encode()
    members["config.json"] = json.dumps(drop_addresses(json.loads(members["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def drop_addresses(config: Any, seen: dict[int, int] | None = None) -> Any:
    """A model's config as it is from a file, where nothing is shared by accident.

    Keras tells objects that several layers share by their addresses in memory. Dtype policies have no state,
    so nothing is lost if each layer has its own; what else is shared is numbered in its order.
    """
    seen = {} if seen is None else seen
    if isinstance(config, list):
        return [drop_addresses(item, seen) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: drop_addresses(value, seen) for key, value in config.items() if key != _SHARED}
    if _SHARED in config and config.get("class_name") != "DTypePolicy":
        kept[_SHARED] = seen.setdefault(config[_SHARED], len(seen) + 1)
    return kept


def write_model(model: keras.Model, path: Path, *, force: bool) -> None:
    """Writes a whole `.keras` file, or nothing.

    Raises:
        OutputError: `path` does not end in .keras or may not be replaced, or it cannot be written.
    """
    refuse_ending(path, ".keras")
    with whole_file(path, force=force) as temporary:
        save_model(model, temporary)


def open_saved(path: Path, *, original: keras.Model) -> keras.Model:
    """A model that a build left in its work directory, not compiled.

    Args:
        path: a `.keras` file; whoever gives the work directory may have changed it.
        original: the model that is built from; what it holds of code, which was trusted, the file may hold.

    Raises:
        ModelError: the file names what no model file may.
    """
    trust = any(type(layer).__name__ in CODE_CLASSES for layer in original._flatten_layers())
    config, where = read_model_file(path).config, str(path)
    if not trust:
        refuse_code(config, where=where)
    refuse_names(config, Names(known=keras.saving.get_custom_objects(), trust=trust), where=where)
    return keras.saving.load_model(path, compile=False, safe_mode=not trust)
