"""Names of layers as TensorFlow takes them: Keras lets through what its compiled graphs do not."""

import re

import keras

from edgeprune.errors import LayerError

# As in tensorflow/python/framework/ops.py, but for "\\" and "/", which names of nodes and Keras refuse.
_SCOPE = re.compile(r"[A-Za-z0-9_.>-]*")
_ROOT_SCOPE = re.compile(r"([A-Za-z0-9.][A-Za-z0-9_.>-]*)?")


def refuse_unscoped(model: keras.Model, *, where: str) -> None:
    """Refuse names that no compiled graph can have; those of inputs are in none.

    Raises:
        LayerError: the model or a layer of it has one.
    """
    named = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    if not _ROOT_SCOPE.fullmatch(model.name):
        raise _refuse("model", model.name, where=where)
    for layer in named:
        if not _SCOPE.fullmatch(layer.name):
            raise _refuse("layer", layer.name, where=where)


def _refuse(kind: str, name: str, *, where: str) -> LayerError:
    return LayerError(
        f"the {kind}'s name {name!r} is none that TensorFlow can compile",
        where=where,
        why="it takes letters from a to z, digits, '_', '.', '-' and '>', of a model not '_' or '-' first",
        fix="name it so, and save the model again",
    )
