"""Which Keras layer an op of a converted file comes from."""

import re

import keras

from edgeprune.tflite.model import Model, Op
from edgeprune.tflite.read import read_model


def describe_place(model: keras.Model, tflite: bytes, *, op: str) -> str:
    """Where an op comes from, for messages: "layer 'gelu_1' of model 'net'"; the model alone if unknown.

    Args:
        model: what was converted.
        tflite: its file, with the names that the converter gave.
        op: a builtin op's name; all layers that became one are named.
    """
    names = {layer.name for layer in model._flatten_layers(include_self=False)}
    file = read_model(tflite, where=model.name)
    found = dict.fromkeys(
        layer for item in file.ops if item.name == op for layer in [_find_layer(item, file, names)] if layer
    )
    if not found:
        return f"model '{model.name}'"
    quoted = ", ".join(f"'{layer}'" for layer in found)
    return f"{'layers' if len(found) > 1 else 'layer'} {quoted} of model '{model.name}'"


def _find_layer(op: Op, file: Model, names: set[str]) -> str | None:
    """The layer in whose scope the op was made: the converter names tensors "model/layer_1/Relu;…"."""
    for index in (*op.outputs, *op.inputs):
        if index < 0:
            continue
        # A later scope is an inner one; TensorFlow may have put _1 behind a name to tell calls apart.
        for scope in reversed(file.tensors[index].name.split(";")[0].split("/")):
            for name in (re.sub(r"_\d+$", "", scope), scope):
                if name in names:
                    return name
    return None
