"""Calling a Keras model with a flat list of inputs, whatever structure it wants them in."""

from collections.abc import Sequence
from typing import Any

import keras


def call(model: keras.Model, inputs: Sequence[Any], *, training: bool) -> list[Any]:
    """The model's outputs as a flat list.

    Args:
        model: Functional or Sequential.
        inputs: one tensor per model input, in the order of `model.inputs`.
        training: as Keras has it.
    """
    functional = model._functional if isinstance(model, keras.Sequential) else model
    structure = getattr(functional, "_inputs_struct", None)
    packed = keras.tree.pack_sequence_as(structure, list(inputs)) if structure is not None else inputs[0]
    return list(keras.tree.flatten(model(packed, training=training)))
