"""A model as it is traced for conversion: it draws no random numbers and assigns no variables.

A `.tflite` file holds constants. Keras 3 makes the dropout masks of a recurrent cell before each call, also
in inference, where nothing reads them; that advances a seed, which is a variable.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.model.inference_form import refuse_stateful


@contextmanager
def without_state(model: keras.Model) -> Iterator[None]:
    """While the block runs, recurrent cells are without dropout; training before and after has it.

    Raises:
        ModelError: a recurrent layer is stateful.
    """
    refuse_stateful(model, where=model.name)
    with ExitStack() as stack:
        for layer in model._flatten_layers():
            if isinstance(layer, DropoutRNNCell):
                for rate in ("dropout", "recurrent_dropout"):
                    stack.enter_context(replaced_attribute(layer, rate, 0.0))
        yield


def refuse_changes(model: keras.Model, changed: list[Any]) -> None:
    """Raises ModelError if inference changed any of these variables of the model."""
    if changed:
        raise ModelError(
            f"inference changes the variable '{changed[0].path}'",
            where=model.name,
            why="a .tflite file has constants; a seed changes where a layer draws random numbers",
            fix="let the layer do so only where its call is told training=True",
        )


@contextmanager
def replaced_attribute(layer: Any, name: str, value: Any) -> Iterator[None]:
    """While the block runs, an attribute of a layer has another value."""
    own = vars(layer).get(name)  # a method of the class is in its way again once the instance's is gone
    setattr(layer, name, value)
    try:
        yield
    finally:
        delattr(layer, name)
        if own is not None:
            setattr(layer, name, own)
