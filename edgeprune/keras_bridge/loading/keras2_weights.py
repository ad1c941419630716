"""The weights of a Keras 2 file, given to the model that was rebuilt from its config.

Both HDF5 and SavedModel keep, for each layer of the model, its trainable weights and then the others; those
of a nested model are listed layer by layer in each of the two halves. A `.keras` file keeps them as a tree of
layers named by their classes and numbered: "layers/functional/layers/conv2d_1/vars/0".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import keras
import numpy as np

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.loading.keras2 import MadeModel
from edgeprune.keras_bridge.loading.keras2_layers import MadeLayer
from edgeprune.keras_bridge.loading.tfmot import (
    CLUSTERED,
    drop_wrapper_weights,
    is_wrapper,
    read_clustered,
)
from edgeprune.keras_bridge.model.weights import assign_weights

Part = MadeLayer | MadeModel
Slot = tuple[int, int]
"""A leaf layer's id, and the number of one of its weights."""


def read_hdf5_weights(file: h5py.File, *, where: str) -> dict[str, list[Array]]:
    """Layer → its weights in the file's order. Raises ModelError for weights of Keras 1 or Theano."""
    group = file.get("model_weights", file)
    backend = _text(group.attrs.get("backend", ""))
    version = _text(group.attrs.get("keras_version", "2"))
    if backend in ("theano", "cntk") or version.startswith(("0.", "1.")):
        raise ModelError(
            f"was written by Keras {version} on {backend or 'an unknown backend'}",
            where=where,
            why="kernels lie in another order there",
            fix="open it in Keras 2 on TensorFlow and save it again",
        )
    return {
        name: drop_wrapper_weights(
            [(weight, np.asarray(group[name][weight])) for weight in _names(group[name], "weight_names")]
        )
        for name in _names(group, "layer_names")
    }


def _names(group: h5py.Group, key: str) -> list[str]:
    """A list of names; Keras cuts those that are longer than HDF5 allows into numbered pieces."""
    if key in group.attrs:
        pieces = [group.attrs[key]]
    else:
        numbers = range(len(group.attrs))
        pieces = [group.attrs[f"{key}{i}"] for i in numbers if f"{key}{i}" in group.attrs]
    return [_text(name) for piece in pieces for name in piece]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def give_weights(made: MadeModel, weights: Mapping[str, Sequence[Array]], *, where: str) -> None:
    """Assigns the weights of a file to the model that was rebuilt from it.

    Args:
        made: the model.
        weights: layer → its weights, in the file's order; layers without any may be missing.
        where: the file, for messages.

    Raises:
        ModelError: a layer's weights are missing, too many, or of other shapes than its config says.
    """
    unknown = sorted(name for name, arrays in weights.items() if len(arrays) and name not in made.parts)
    if unknown:
        raise ModelError(
            f"holds weights of layer '{unknown[0]}', which its model does not have",
            where=where,
            fix="save the whole model again",
        )
    found: dict[int, dict[int, Array]] = {}
    leaves: dict[int, tuple[str, MadeLayer]] = {}
    for name, part in made.parts.items():
        slots = [*_slots(part, trainable=True), *_slots(part, trainable=False)]
        arrays = weights.get(name, ())
        if len(slots) != len(arrays):
            raise ModelError(
                f"layer '{name}' has {len(slots)} weights, and the file {len(arrays)}",
                where=where,
                fix="save the whole model again",
            )
        for (leaf, number), array in zip(slots, arrays, strict=True):
            found.setdefault(leaf, {})[number] = array
        for label, inner in _leaves(name, part):
            leaves[id(inner)] = label, inner
    for key, by_number in found.items():
        name, layer = leaves[key]
        _assign(name, layer, [by_number[i] for i in range(len(by_number))], where=where)


def give_archive_weights(made: MadeModel, group: h5py.Group, *, where: str) -> None:
    """Assigns the weights of a `.keras` file of Keras 2.13 or later.

    Args:
        made: the model.
        group: the root of `model.weights.h5`, or the group of a nested model.
        where: the file, for messages.

    Raises:
        ModelError: a layer's weights are missing, or contradict its config.
    """
    counts: dict[str, int] = {}
    for name, part in made.parts.items():
        kind = _snake(part.class_name)
        number = counts[kind] = counts.get(kind, -1) + 1
        inside = group.get(f"layers/{kind}_{number}" if number else f"layers/{kind}", {})
        model = part if isinstance(part, MadeModel) else part.inner
        if model is not None:
            give_archive_weights(model, inside.get("layer", inside), where=where)
        elif isinstance(part, MadeLayer) and isinstance(part.call, keras.layers.Layer) and part.call.weights:
            arrays = list(_collect_wrapped(part.class_name, inside, where=where))
            if len(arrays) != len(part.call.weights):
                raise ModelError(
                    f"layer '{name}' has {len(part.call.weights)} weights, and the file {len(arrays)}",
                    where=where,
                    fix="save it as model.h5 from the Keras that wrote it",
                )
            _assign(name, part, arrays, where=where)


def _collect_wrapped(class_name: str, group: Any, *, where: str) -> Iterator[Array]:
    """The weights of a layer that tfmot may have wrapped."""
    if not is_wrapper(class_name):
        yield from _collect(group)
        return
    rest = list(_collect(group.get("layer", {})))
    if class_name.endswith(CLUSTERED):
        variables = group.get("vars", {})
        own = [np.asarray(variables[key]) for key in sorted(variables, key=int)]
        yield from read_clustered(own, rest, where=where)
    else:
        yield from rest


def _collect(group: Any) -> Iterator[Array]:
    """The weights of a layer and of those inside it, in the order in which Keras 2 makes them."""
    variables = group.get("vars", {})
    yield from (np.asarray(variables[key]) for key in sorted(variables, key=int))
    for key in _INSIDE:
        if key in group:
            yield from _collect(group[key])
    cells = group.get("cells", {})
    if len({re.sub(r"_\d+$", "", key) for key in cells}) > 1:
        return  # their order is not in the file; the number of weights will not match
    for key in sorted(cells, key=lambda cell: (len(cell), cell)):
        yield from _collect(cells[key])


_INSIDE = (
    *("layer", "forward_layer", "backward_layer", "cell"),
    *("_query_dense", "_key_dense", "_value_dense", "_output_dense"),
)
"""Attributes that hold layers inside layers."""


def _snake(class_name: str) -> str:
    """The name of a class as Keras puts it into paths."""
    name = re.sub(r"\W+", "", class_name.rpartition(">")[2])
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _slots(part: Part, *, trainable: bool) -> Iterator[Slot]:
    """The weights of one half, in the file's order."""
    if isinstance(part, MadeModel):
        if part.trainable:
            for inner in part.parts.values():
                yield from _slots(inner, trainable=trainable)
        elif not trainable:
            for inner in part.parts.values():
                yield from (*_slots(inner, trainable=True), *_slots(inner, trainable=False))
    elif part.inner is not None:
        yield from _slots(part.inner, trainable=trainable)
    elif isinstance(part.call, keras.layers.Layer):
        count = len(part.call.trainable_weights)
        total = count + len(part.call.non_trainable_weights)
        yield from ((id(part), i) for i in (range(count) if trainable else range(count, total)))


def _leaves(name: str, part: Part) -> Iterator[tuple[str, MadeLayer]]:
    if isinstance(part, MadeModel):
        for inner_name, inner in part.parts.items():
            yield from _leaves(f"{name}/{inner_name}", inner)
    elif part.inner is not None:
        yield from _leaves(name, part.inner)
    else:
        yield name, part


def _assign(name: str, leaf: MadeLayer, arrays: list[Array], *, where: str) -> None:
    layer = leaf.call
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    try:
        arrays = leaf.adapt(arrays)
    except (ValueError, IndexError) as error:
        raise _contradiction(name, where, str(error)) from error
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != tuple(array.shape):
            raise _contradiction(
                name, where, f"{variable.name} is {tuple(array.shape)}, and should be {tuple(variable.shape)}"
            )
    order = {id(variable): i for i, variable in enumerate(variables)}
    assign_weights(layer, [arrays[order[id(variable)]] for variable in layer.weights])


def _contradiction(name: str, where: str, why: str) -> ModelError:
    return ModelError(
        f"the weights of layer '{name}' contradict its config",
        where=where,
        why=why,
        fix="save the model again, config and weights together",
    )
