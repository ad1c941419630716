"""SavedModel directories that Keras 2 wrote: the config and the weights, read without running their graph.

The file `saved_model.pb` holds a graph of objects; Keras 2 put the config of each layer beside its object, as
JSON: in that file up to TensorFlow 2.4, in `keras_metadata.pb` from 2.5 on. Each layer's object lists its
weights, and the checkpoint under `variables/` holds their values under the paths of the same objects.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.loading.tfmot import drop_wrapper_weights

_PATTERN = frozenset("[]*?\\")
MAX_GRAPH_BYTES = 512 * 2**20
METADATA_FILE = "keras_metadata.pb"


def read_metadata(path: Path) -> dict[str, Any]:
    """What Keras 2 noted about the model: class_name, config, and training_config if it was compiled.

    Raises:
        ModelError: the directory was not written by Keras, or is damaged.
    """
    texts = _read_texts(path, _read_graph(path))
    try:
        metadata = json.loads(texts.get(0, ""))
    except ValueError:
        metadata = {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("config"), dict | list):
        raise ModelError(
            "is a SavedModel without the layers of its model",
            where=str(path),
            why="it was exported as a graph, or its model is subclassed",
            fix="open it where its Python code is and save it with model.save('model.h5')",
        )
    return metadata


def read_weights(path: Path) -> dict[str, list[Array]]:
    """Layer → its weights, the trainable ones first. Raises ModelError."""
    import tensorflow as tf
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    nodes = _read_graph(path)
    texts = _read_texts(path, nodes)
    try:
        checkpoint = _open_checkpoint(path / "variables")
        stored = trackable_object_graph_pb2.TrackableObjectGraph()
        stored.ParseFromString(checkpoint.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        keys = _find_keys(nodes, stored.nodes)
        weights = {}
        for child in nodes[0].children:
            if not child.local_name.startswith("layer-"):
                continue
            name = json.loads(texts[child.node_id])["name"]
            first = _listed(nodes, child.node_id, "trainable_variables")
            others = _listed(nodes, child.node_id, "non_trainable_variables")
            ids = list(dict.fromkeys([*first, *others, *_listed(nodes, child.node_id, "variables")]))
            named = [(nodes[i].variable.name, np.asarray(checkpoint.get_tensor(keys[i]))) for i in ids]
            weights[name] = drop_wrapper_weights(named)
    except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
        raise ModelError(
            "its variables cannot be read",
            where=str(path),
            why=" ".join(str(error).split())[:200],
            fix="copy the whole directory again, with its variables",
        ) from error
    return weights


def _open_checkpoint(folder: Path) -> Any:
    """A reader of the variables in a folder; TensorFlow takes brackets in a path for a pattern."""
    import tensorflow as tf

    if not _PATTERN.intersection(str(folder)):
        return tf.train.load_checkpoint(str(folder / "variables"))
    with TemporaryDirectory(prefix="edgeprune-") as place:
        plain = Path(place) / "variables"
        try:
            plain.symlink_to(folder.resolve(), target_is_directory=True)
        except OSError:  # a file system, or a Windows user, that may not have links
            shutil.copytree(folder, plain)
        reader = tf.train.load_checkpoint(str(plain / "variables"))
        names = reader.get_variable_to_shape_map()
        return _Read({name: reader.get_tensor(name) for name in names})


class _Read(dict[str, Any]):
    """Variables that have been read, in the form of a reader."""

    get_tensor = dict.__getitem__


def _read_graph(path: Path) -> Any:
    """The nodes of the graph of objects."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    if file.stat().st_size > MAX_GRAPH_BYTES:
        raise ModelError(
            "refused as unsafe", where=str(path), why=f"{file.name} is {file.stat().st_size} bytes long"
        )
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise ModelError(
            "the file is truncated or damaged",
            where=str(file),
            why=str(error),
            fix="copy the directory again",
        ) from error
    nodes = saved.meta_graphs[0].object_graph_def.nodes if saved.meta_graphs else []
    if not nodes:
        raise ModelError(
            "is a SavedModel without the layers of its model",
            where=str(path),
            why="it was written by TensorFlow 1, or holds a graph alone",
            fix="open the model in Keras and save it with model.save('model.keras')",
        )
    return nodes


def _read_texts(path: Path, nodes: Any) -> dict[int, str]:
    """Object → what Keras noted about it, as JSON."""
    file = path / METADATA_FILE
    if not file.is_file():
        return {i: node.user_object.metadata for i, node in enumerate(nodes) if node.user_object.metadata}
    texts: dict[int, str] = {}
    for field, message in _fields(file.read_bytes()):
        if field == 1 and isinstance(message, bytes):
            inner = dict(_fields(message))
            text = inner.get(5, b"")
            texts[int(inner.get(2, 0))] = text.decode() if isinstance(text, bytes) else ""
    return texts


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a protobuf message: its numbers and its bytes.

    Keras 2's `SavedMetadata` is no part of TensorFlow: nodes = 1, and of a node node_id = 2, metadata = 5.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        value: int | bytes = 0
        if kind == 0:
            value, at = _varint(message, at)
        elif kind == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            at += {1: 8, 5: 4}[kind]
        yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return value, at


def _find_keys(nodes: Any, stored: Any) -> dict[int, str]:
    """Variable → its key in the checkpoint: both graphs are walked along the same names from their roots."""
    pending, seen = [(0, 0)], {0}
    keys = {}
    while pending:
        here, there = pending.pop()
        if stored[there].attributes:
            keys[here] = stored[there].attributes[0].checkpoint_key
        known = {child.local_name: child.node_id for child in stored[there].children}
        for child in nodes[here].children:
            if child.local_name in known and child.node_id not in seen:
                seen.add(child.node_id)
                pending.append((child.node_id, known[child.local_name]))
    return keys


def _listed(nodes: Any, layer: int, name: str) -> list[int]:
    """The variables in a list that belongs to a layer's object."""
    children = _children(nodes, layer)
    if name not in children and "keras_api" in children:
        children = _children(nodes, children["keras_api"])
    if name not in children:
        return []
    numbers = _children(nodes, children[name])
    return [numbers[i] for i in sorted(filter(str.isdigit, numbers), key=int)]


def _children(nodes: Any, number: int) -> dict[str, int]:
    return {child.local_name: child.node_id for child in nodes[number].children}
