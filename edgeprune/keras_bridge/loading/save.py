"""Saving Keras models so that the same model gives the same bytes, and opening what was saved."""

import json
import zipfile
from pathlib import Path

import keras

from edgeprune.files import whole_file

_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a `.keras` file without the time of writing, which Keras puts into it in two places."""
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    metadata.pop("date_saved", None)
    members["metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def write_model(model: keras.Model, path: Path, *, force: bool) -> None:
    """Writes a whole `.keras` file, or nothing.

    Raises:
        OutputError: `path` exists and `force` is not set, or it cannot be written.
    """
    with whole_file(path, force=force) as temporary:
        save_model(model, temporary)


def open_saved(path: Path) -> keras.Model:
    """A model that edgeprune wrote itself, not compiled."""
    return keras.saving.load_model(path, compile=False)
