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
