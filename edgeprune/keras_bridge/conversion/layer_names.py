"""Which Keras layer an op of a converted file comes from."""

import re
from collections.abc import Iterable

import keras

from edgeprune.errors import OpError
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.read import read_model

_OPS_NAMED = re.compile(r"\b[A-Z][A-Z0-9_]+\b")


def describe_place(model: keras.Model, tflite: bytes, *, op: str) -> str:
    """Where an op comes from, for messages: "layer 'gelu_1' of model 'net'"; the model alone if unknown.

    Args:
        model: what was converted.
        tflite: its file, with the names that the converter gave.
        op: a builtin op's name; all layers that became one are named. Where a function of `keras.ops` did, it
            is the layer before it.
    """
    names = {layer.name for layer in model._flatten_layers(include_self=False)}
    file = read_model(tflite, where=model.name)
    ops = [item for item in file.ops if item.name == op]
    own = [
        [*item.outputs, *(i for i in item.inputs if i >= 0 and file.tensors[i].is_constant)] for item in ops
    ]
    read = [[i for i in item.inputs if i >= 0 and not file.tensors[i].is_constant] for item in ops]
    for preposition, places in (("", own), ("after ", read)):
        found = dict.fromkeys(_name_first([file.tensors[i].name for i in place], names) for place in places)
        found.pop("", None)
        if found:
            quoted = ", ".join(f"'{layer}'" for layer in found)
            return f"{preposition}layer{'s' * (len(found) > 1)} {quoted} of model '{model.name}'"
    return f"model '{model.name}'"


def name_place(model: keras.Model, error: OpError, *, tflite: bytes) -> OpError:
    """The error of a runtime that cannot run the file of a model, with the layer that becomes the op.

    Args:
        model: what was converted.
        error: what the runtime said; it names the op first where it names one.
        tflite: the model's file, with the names that the converter gave.
    """
    found = next((op for op in _OPS_NAMED.findall(error.what) if op in OPS), "")
    where = describe_place(model, tflite, op=found) if found else f"model '{model.name}'"
    return OpError(error.what, where=where, why=error.why, fix=error.fix)


def name_layers(model: keras.Model, tflite: bytes) -> dict[int, str]:
    """Activation of a file with the converter's names → the layer that makes it, where that can be told.

    Args:
        model: what was converted.
        tflite: its file.
    """
    names = {layer.name for layer in model._flatten_layers(include_self=False)}
    file = read_model(tflite, where=model.name)
    found = {i: find_layer(file.tensors[i].name, names) for op in file.ops for i in op.outputs}
    return {i: name for i, name in found.items() if name is not None}


def find_layer(tensor: str, names: set[str]) -> str | None:
    """The layer in whose scope a tensor was made: the converter names tensors "model/layer_1/Relu;…"."""
    # A later scope is an inner one; TensorFlow may have put _1 behind a name to tell calls apart.
    for scope in reversed(tensor.split(";")[0].split("/")):
        for name in (re.sub(r"_\d+$", "", scope), scope):
            if name in names:
                return name
    return None


def _name_first(tensors: Iterable[str], names: set[str]) -> str:
    """The layer of the first tensor that tells; "" if none does."""
    return next((found for name in tensors if (found := find_layer(name, names)) is not None), "")
