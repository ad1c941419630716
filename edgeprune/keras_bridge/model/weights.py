"""Setting the weights of layers and models."""

from collections.abc import Sequence
from typing import Any

import keras

from edgeprune.graph.layergraph import Array


def assign_weights(target: Any, arrays: Sequence[Array]) -> None:
    """Gives a layer or model its weights, in Keras' order.

    An adapted Normalization layer computes with copies of its variables, which `set_weights` leaves as they
    were; this refreshes them.
    """
    target.set_weights(list(arrays))
    for layer in target._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def copy_model(model: keras.Model) -> keras.Model:
    """A model of the same layers and weights, not compiled."""
    copy = clone(model)
    assign_weights(copy, model.get_weights())
    return copy


def clone(model: keras.Model, **how: Any) -> keras.Model:
    """What `keras.models.clone_model` gives, not compiled.

    On its own Keras compiles the clone of a compiled model from a config, for which it would have to know
    what is the user's own.

    Args:
        model: Functional or Sequential.
        how: further arguments of `clone_model`.
    """
    compiled, model.compiled = model.compiled, False
    try:
        return keras.models.clone_model(model, **how)
    finally:
        model.compiled = compiled
